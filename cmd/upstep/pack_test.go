package main

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// craft writes an archive as somebody who means harm would: craft FILE NAME=TEXT..., each
// name as it is given. NAME@xxx makes a file of zeros, a MiB for each letter behind @.
func craft(ts *testscript.TestScript, _ bool, args []string) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	ts.Check(err)
	w := tar.NewWriter(z)
	for _, arg := range args[1:] {
		name, text, _ := strings.Cut(arg, "=")
		name, size, zeros := strings.Cut(name, "@")
		if zeros {
			text = strings.Repeat("\x00", len(size)<<20)
		}
		ts.Check(w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text))}))
		_, err := io.WriteString(w, text)
		ts.Check(err)
	}
	ts.Check(w.Close())
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o600))
}

// flip changes one byte in the middle of a file.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	data[len(data)/2] ^= 1
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}
