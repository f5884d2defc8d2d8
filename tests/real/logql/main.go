package main

import (
	"bufio"
	"fmt"
	"os"

	"github.com/grafana/loki/v3/pkg/logql/syntax"
)

func main() {
	bad := 0
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if _, err := syntax.ParseExpr(lines.Text()); err != nil {
			fmt.Printf("%s: %v\n", lines.Text(), err)
			bad++
		}
	}
	if bad > 0 {
		os.Exit(1)
	}
}
