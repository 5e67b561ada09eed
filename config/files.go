package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"portico/spec"
)

// fileMax bounds a certificate or a secret.
const fileMax = 1 << 20

// file reads a path, relative to the folder of the source it is written in.
func (d *decoder) file(n *node, v reflect.Value, path string) {
	if n.kind != text || n.text == "" {
		d.problem(n, path, fmt.Sprintf("found %s where the path of a file belongs", found(n)), "")
		return
	}
	f := spec.File{Path: d.absolute(n)}
	f.Bytes = d.read(n, f.Path, path)
	v.Set(reflect.ValueOf(f))
}

func found(n *node) string {
	if n.isScalar() && n.text == "" {
		return "empty text"
	}
	return n.kind.String()
}

// secret reads where a secret is, and then the secret.
func (d *decoder) secret(n *node, v reflect.Value, path string) {
	hide(n)
	if n.isScalar() {
		d.problem(n, path, "a secret is not written in a spec", "use {file: …} or {env: …}")
		return
	}
	before := d.report.errors
	d.structure(n, v, path)
	s := v.Interface().(spec.Secret)
	switch {
	case d.report.errors > before:
	case n.get("file") != nil:
		s.File = d.absolute(n.get("file"))
		s.Value = d.read(n.get("file"), s.File, spec.At(path, "file"))
	case n.get("env") != nil:
		s.Value = []byte(os.Getenv(s.Env))
		if len(s.Value) == 0 {
			d.problem(n.get("env"), spec.At(path, "env"), fmt.Sprintf("the environment variable %q is not set", s.Env), "")
		}
	}
	s.Value = bytes.TrimSuffix(bytes.TrimSuffix(s.Value, []byte("\n")), []byte("\r"))
	v.Set(reflect.ValueOf(s))
}

// hide keeps the lines of a secret out of messages, unless they say no more than
// where it is found.
func hide(n *node) {
	for _, e := range n.entries {
		if (e.key.text != "file" && e.key.text != "env") || e.value.kind != text {
			n.secret, e.key.secret, e.value.secret = true, true, true
		}
	}
	n.secret = n.secret || n.isScalar()
}

func (d *decoder) absolute(n *node) string {
	if filepath.IsAbs(n.text) {
		return filepath.Clean(n.text)
	}
	return filepath.Join(folder(d.report.sources[n.place.source]), n.text)
}

// read returns what is in a file, and remembers that it was asked for.
func (d *decoder) read(n *node, name, path string) []byte {
	d.report.files[name] = true
	info, err := os.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		d.problem(n, path, fmt.Sprintf("%q is not a plain file", shortName(name)), "")
		return nil
	}
	content, err := readBounded(name, fileMax)
	if err == nil && len(content) > 0 {
		return content
	}
	short := shortName(name)
	var broken *fs.PathError
	switch {
	case err == nil:
		d.problem(n, path, fmt.Sprintf("the file %q is empty", short), "")
	case errors.Is(err, fs.ErrNotExist):
		d.problem(n, path, fmt.Sprintf("there is no file %q", short), "")
	case errors.As(err, &broken):
		d.problem(n, path, fmt.Sprintf("the file %q cannot be read: %v", short, broken.Err), "")
	default:
		d.problem(n, path, fmt.Sprintf("the file cannot be read: %v", err), "")
	}
	return nil
}
