package cli

import "github.com/spf13/cobra"

// verbs lists every verb, in the order in which they are listed to people.
func verbs() []func(Streams) *cobra.Command {
	return []func(Streams) *cobra.Command{
		runVerb,
		demoVerb,
		checkVerb,
		applyVerb,
		statusVerb,
		explainVerb,
		benchVerb,
		versionVerb,
	}
}
