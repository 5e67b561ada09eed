package cli

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func versionVerb(io Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program",
		Args:  exactly(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(io.Out, "portico %s %s %s/%s\n", c.Root().Version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}
