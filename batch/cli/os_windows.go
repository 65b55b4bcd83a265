package cli

import (
	"os/exec"
	"strings"
)

// forbidCoreDumps does nothing: Windows writes none unless it is set up to.
func forbidCoreDumps() {}

// quote returns a word as both PowerShell and cmd read it back: no path there
// holds a double quote.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t&()[]{}^=;!'+,`~$%@#") {
		return word
	}
	return `"` + word + `"`
}

// shellCommand returns what runs a line of the system's shell.
func shellCommand(line string) *exec.Cmd { return exec.Command("cmd", "/C", line) }

// setVariables returns a line of PowerShell that sets variables, each NAME=VALUE.
func setVariables(variables ...string) string {
	for i, variable := range variables {
		name, value, _ := strings.Cut(variable, "=")
		variables[i] = "$env:" + name + " = '" + value + "'"
	}
	return strings.Join(variables, "; ")
}
