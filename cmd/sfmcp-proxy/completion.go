package main

import "github.com/spf13/cobra"

// completionCommand prints what a shell reads to complete commands and flags.
func completionCommand() *cobra.Command {
	return configIgnored(&cobra.Command{
		Use: "completion bash|zsh|fish", Short: "Print what a shell needs to complete commands and flags",
		Long: "Print what a shell needs to complete commands and flags.\n\n" +
			"  bash: source <(sfmcp-proxy completion bash)\n" +
			"  zsh:  sfmcp-proxy completion zsh > \"${fpath[1]}/_sfmcp-proxy\"\n" +
			"  fish: sfmcp-proxy completion fish | source",
		Args: usageArgs(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)), ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), cmd.OutOrStdout()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			}
			return root.GenFishCompletion(out, true)
		},
	})
}
