// Command portico is the one program: every tier, and the verbs that watch and
// change them.
package main

import (
	"os"

	"portico/cli"
)

// version is stamped by the build.
var version = "devel"

func main() {
	os.Exit(cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, version))
}
