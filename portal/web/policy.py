"""The security policy in the browser: what is active, proposed and would change, and the acts of two people."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, cast

from flask import Blueprint, Response, flash, redirect, render_template, request, stream_template, url_for
from flask.typing import ResponseReturnValue

from policies import InvalidLabel, Label, SecurityPolicy
from policies.changes import AccessChange, LabelChange, Progress
from policies.requests import Role
from policies.spif import MAX_BYTES
from portal.errors import Invalid, TooLarge
from portal.http.content import runtime
from portal.http.csrf import FIELD, check_token
from portal.http.identify import current_actor
from portal.http.request import PortalRequest
from portal.http.routing import signed_in
from portal.services.policy_views import ProposalView
from portal.web.forms import FORM_ERRORS, refused
from portal.web.two_people import two_people
from portal.web.words import moment_words

_FORM_OVERHEAD = 64 * 1024
_NAMES = 2_000
"""People whose names a page of effects tells; all of them are counted."""
_OUTCOMES = {
    "": ("clock", "Open", ""),
    "done": ("circle-check", "In force since", "good"),
    "withdrawn": ("arrow-back-up", "Withdrawn", "muted"),
    "expired": ("clock", "Expired", "muted"),
}


def make_blueprint() -> Blueprint:
    """Return the blueprint."""
    blueprint = Blueprint("policy", __name__, url_prefix="/policy")
    add = blueprint.add_url_rule
    add("", "index", index, methods=["GET"])
    add("", "propose", propose, methods=["POST"])
    add("/versions/<digest>", "version", version, methods=["GET"])
    add("/proposals/<proposal_id>", "proposal", proposal, methods=["GET"])
    add("/proposals/<proposal_id>", "decide", decide, methods=["POST"])
    add("/proposals/<proposal_id>/effect", "effect", effect, methods=["GET"])
    return blueprint


@signed_in(Role.OFFICER)
def index() -> ResponseReturnValue:
    """List the policies that are and were active, and the proposals."""
    return _index()


def _index(problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    return (
        render_template(
            "policy/index.html",
            policies=runtime().policy_changes.policies(actor),
            proposals=[_row(item) for item in runtime().policy_changes.proposals(actor)],
            problem=problem,
            moment_words=moment_words,
        ),
        status,
    )


def _row(item: ProposalView) -> dict[str, Any]:
    return {
        "item": item,
        "state": _OUTCOMES[item.outcome],
        "approved": any(approval.in_force for approval in item.approvals),
        "url": url_for("policy.proposal", proposal_id=item.id),
    }


@signed_in(Role.OFFICER, own_csrf=True)
def propose() -> ResponseReturnValue:
    """Take a policy's file and propose it."""
    form = cast(PortalRequest, request).multipart(MAX_BYTES + _FORM_OVERHEAD)
    file = form.next_file()
    check_token(form.field(FIELD))
    try:
        if file is None:
            raise Invalid("No file was chosen.", mend="Choose the policy's file (SPIF, XML).")
        data = bytearray()
        for chunk in file:
            data += chunk
            if len(data) > MAX_BYTES:
                raise TooLarge(f"The file is larger than {MAX_BYTES:,} bytes.", mend="A policy is smaller.")
        form.finish()
        made = runtime().policy_changes.propose(current_actor(), bytes(data), form.field("reason"))
    except (*FORM_ERRORS, TooLarge) as error:
        return _index(*refused(error))
    flash("It is proposed. Another security officer must approve it.", "good")
    return redirect(url_for("policy.proposal", proposal_id=made), 303)


@signed_in(Role.OFFICER)
def version(digest: str) -> ResponseReturnValue:
    """Show a policy that is or was active."""
    found = runtime().policy_changes.policy(current_actor(), digest)
    return render_template(
        "policy/version.html",
        policy=found,
        words={item.name: _class_words(found, item.name) for item in found.classifications},
        active=found is runtime().access.policy,
    )


def _class_words(policy: SecurityPolicy, name: str) -> str:
    try:
        return policy.marking(policy.compose(name))
    except InvalidLabel:
        return name


@signed_in(Role.OFFICER)
def proposal(proposal_id: str) -> ResponseReturnValue:
    """Show a proposal: what differs, who has agreed."""
    return _proposal(proposal_id)


def _proposal(proposal_id: str, problem: str = "", status: int = 200) -> ResponseReturnValue:
    actor = current_actor()
    page = runtime().policy_changes.proposal(actor, proposal_id)
    item = page.proposal
    return (
        render_template(
            "policy/proposal.html",
            item=item,
            state=_OUTCOMES[item.outcome],
            differences=page.differences,
            **two_people(
                actor.person_id,
                item.proposed_by,
                f"Proposed it on {moment_words(item.created)}",
                item.approvals,
            ),
            problem=problem,
            moment_words=moment_words,
        ),
        status,
    )


@signed_in(Role.OFFICER)
def decide(proposal_id: str) -> ResponseReturnValue:
    """Approve, activate or withdraw a proposal."""
    actor, service = current_actor(), runtime().policy_changes
    act = request.form.get("act", "")
    try:
        if act == "approve":
            service.approve(actor, proposal_id, request.form.get("digest", ""))
            flash("You approved it. It can be put into force within seven days.", "good")
        elif act == "activate":
            service.activate(actor, proposal_id)
            flash("The policy is in force from now on.", "good")
        elif act == "withdraw":
            service.withdraw(actor, proposal_id)
            flash("The proposal is withdrawn.", "good")
        else:
            raise Invalid("There is no such act.", mend="Use the buttons of the page.")
    except FORM_ERRORS as error:
        return _proposal(proposal_id, *refused(error))
    return redirect(url_for("policy.proposal", proposal_id=proposal_id), 303)


@signed_in(Role.OFFICER)
def effect(proposal_id: str) -> ResponseReturnValue:
    """Show what a proposal would change, as it is found: the page arrives in pieces."""
    actor = current_actor()
    # Asked for before the answer begins: what is refused or absent is a page of its own.
    changes = runtime().policy_changes.effect(actor, proposal_id)
    answer = Response(
        stream_template(
            "policy/effect.html",
            back=url_for("policy.proposal", proposal_id=proposal_id),
            steps=_steps(changes),
        ),
        content_type="text/html; charset=utf-8",
    )
    # A proxy that gathered the page first would hide the progress (nginx reads this header).
    answer.headers["X-Accel-Buffering"] = "no"
    return answer


def _steps(changes: Iterator[Any]) -> Iterator[dict[str, Any]]:
    """Yield progress while people are compared, and at the end what was found."""
    labels: list[LabelChange] = []
    by_place: dict[tuple[bool, str, Label], dict[str, int]] = defaultdict(dict)
    done = 0
    for change in changes:
        if isinstance(change, Progress):
            done = change.done
            yield {"done": change.done, "total": change.total}
        elif isinstance(change, LabelChange):
            labels.append(change)
        else:
            found: AccessChange = change
            by_place[found.gained, found.programme_id, found.label][found.person_id] = found.documents
    yield {"result": _result(labels, by_place, done)}


def _result(
    labels: list[LabelChange], by_place: Mapping[tuple[bool, str, Label], Mapping[str, int]], done: int
) -> dict[str, Any]:
    marking = runtime().access.marking
    people = list(dict.fromkeys(person for found in by_place.values() for person in found))
    ids = [*people[:_NAMES], *{programme for _, programme, _ in by_place}]
    names = runtime().policy_changes.names(current_actor(), ids) if ids else {}
    return {
        "compared": done,
        "labels": [
            {
                "marking": marking(item.label),
                "documents": item.documents,
                "reasons": " ".join(reason.text for reason in item.reasons),
            }
            for item in labels
        ],
        "sides": [
            {
                "gained": side,
                "rows": [
                    {
                        "programme": names.get(programme, programme),
                        "marking": marking(label),
                        "people": len(found),
                        "documents": max(found.values()),
                        "names": sorted(names.get(person, person[:8]) for person in found if person in names),
                    }
                    for (gained, programme, label), found in by_place.items()
                    if gained is side
                ],
            }
            for side in (False, True)
        ],
    }
