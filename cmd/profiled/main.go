// Command profiled is portico, and writes where its CPU time went when it ends: for
// make pgo, which has the benches run it in portico's place.
//
// Usage:
//
//	PORTICO_PROFILES=FOLDER profiled run …
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"

	"portico/cli"
)

func main() {
	folder := os.Getenv("PORTICO_PROFILES")
	if folder == "" {
		fmt.Fprintln(os.Stderr, "profiled: set PORTICO_PROFILES to the folder for profiles")
		os.Exit(2)
	}
	status, err := profiled(filepath.Join(folder, strconv.Itoa(os.Getpid())+".pprof"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "profiled:", err)
		os.Exit(1)
	}
	os.Exit(status)
}

// profiled runs portico, and writes a profile of it to a file.
func profiled(file string) (status int, err error) {
	out, err := os.Create(file)
	if err != nil {
		return 0, err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return 0, err
	}
	status = cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, "profiled")
	pprof.StopCPUProfile()
	return status, out.Close()
}
