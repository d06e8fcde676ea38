// go-sql-driver/mysql. Without arguments it sends text, with arguments it prepares.
// Arguments: HOST PORT USER PASSWORD DATABASE LIST.
package main

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"os"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"
)

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

func shown(value interface{}) string {
	text := fmt.Sprint(value)
	if b, ok := value.([]byte); ok {
		text = fmt.Sprintf("%q", b)
	}
	if len(text) <= 80 {
		return text
	}
	return fmt.Sprintf("%d characters, crc %d", len(text), crc32.ChecksumIEEE([]byte(text)))
}

func printRows(rows *sql.Rows) error {
	defer rows.Close()
	for more := true; more; more = rows.NextResultSet() {
		columns, _ := rows.Columns()
		fmt.Println("  columns", strings.Join(columns, " | "))
		values, targets := make([]interface{}, len(columns)), make([]interface{}, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(targets...); err != nil {
				return err
			}
			line := []string{}
			for _, v := range values {
				line = append(line, shown(v))
			}
			fmt.Println("  row", strings.Join(line, " | "))
		}
	}
	return rows.Err()
}

func run(c *sql.Conn, result, text string, values []interface{}) error {
	if result == "rows" {
		rows, err := c.QueryContext(context.Background(), text, values...)
		if err != nil {
			return err
		}
		return printRows(rows)
	}
	done, err := c.ExecContext(context.Background(), text, values...)
	if err == nil {
		affected, _ := done.RowsAffected()
		id, _ := done.LastInsertId()
		fmt.Println("  done", affected, id)
	}
	return err
}

func main() {
	a, config := os.Args, mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", a[1]+":"+a[2], a[5]
	config.User, config.Passwd = a[3], a[4]
	db, err := sql.Open("mysql", config.FormatDSN())
	if err == nil {
		err = db.Ping()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	connection, _ := db.Conn(context.Background())
	list, _ := os.ReadFile(a[6])
	for number, line := range strings.Split(strings.TrimSpace(string(list)), "\n")[1:] {
		parts, values := strings.Split(line, "\t"), []interface{}{}
		for _, argument := range parts[3:] {
			values = append(values, value(argument))
		}
		fmt.Printf("%d %s %.60s\n", number, parts[0], parts[2])
		if err := run(connection, parts[1], parts[2], values); err != nil {
			fmt.Println("  error", err)
		}
	}
	connection.Close()
	db.Close()
}
