// Verify checks an export of everything and its checkpoint with Go's own packages: VKEY CHECKPOINT EXPORT.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	verifier, err := note.NewVerifier(os.Args[1])
	must(err)
	raw, err := os.ReadFile(os.Args[2])
	must(err)
	signed, err := note.Open(raw, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(signed.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)

	export, err := os.Open(os.Args[3])
	must(err)
	var hashes []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = hashes[index]
		}
		return found, nil
	})
	var leaves [][]byte
	scanner := bufio.NewScanner(export)
	scanner.Buffer(nil, 1<<17)
	for int64(len(leaves)) < size && scanner.Scan() {
		leaf := append([]byte(nil), scanner.Bytes()...)
		more, err := tlog.StoredHashes(int64(len(leaves)), leaf, reader)
		must(err)
		hashes = append(hashes, more...)
		leaves = append(leaves, leaf)
	}
	computed, err := tlog.TreeHash(size, reader)
	must(err)
	if computed != root {
		must(fmt.Errorf("the leaves give %v, the checkpoint signs %v", computed, root))
	}
	for seq, leaf := range leaves {
		proof, err := tlog.ProveRecord(size, int64(seq), reader)
		must(err)
		must(tlog.CheckRecord(proof, size, root, int64(seq), tlog.RecordHash(leaf)))
		old, err := tlog.TreeHash(int64(seq)+1, reader)
		must(err)
		extends, err := tlog.ProveTree(size, int64(seq)+1, reader)
		must(err)
		must(tlog.CheckTree(extends, size, root, int64(seq)+1, old))
	}
	fmt.Println(size)
}
