/** The pdf.js worker, made by ourselves: under Trusted Types only this policy makes a script's address, and only this one. */
export function pdfWorker(url) {
  const wanted = new URL(url, location.href).href;
  const policy = globalThis.trustedTypes?.createPolicy("workers", {
    createScriptURL: (asked) => {
      if (asked !== wanted || new URL(asked).origin !== location.origin) throw new TypeError("not the viewer's worker");
      return asked;
    },
  });
  return new Worker(policy ? policy.createScriptURL(wanted) : wanted, { type: "module" });
}
