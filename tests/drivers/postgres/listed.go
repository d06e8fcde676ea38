// What the Go drivers of PostgreSQL share: the list of statements.
package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
)

type statement struct {
	protocol, result, sql string
	values                []interface{}
}

func (s statement) title(number int) string {
	return fmt.Sprintf("%d %s %.60s", number, s.protocol, s.sql)
}

func value(argument string) interface{} {
	n, _ := strconv.ParseInt(argument[2:], 10, 64)
	f, _ := strconv.ParseFloat(argument[2:], 64)
	b, _ := hex.DecodeString(argument[2:])
	switch argument[0] {
	case 'i':
		return n
	case 'f':
		return f
	case 'b':
		return b
	case 'n':
		return nil
	case 'r':
		return strings.Repeat("x", int(n))
	}
	return argument[2:]
}

func statements(path string) []statement {
	list, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	all := []statement{}
	for _, line := range strings.Split(strings.TrimSpace(string(list)), "\n")[1:] {
		parts, values := strings.Split(line, "\t"), []interface{}{}
		for _, argument := range parts[3:] {
			values = append(values, value(argument))
		}
		all = append(all, statement{parts[0], parts[1], parts[2], values})
	}
	return all
}
