// Command probe is what pods of the tests run: it serves, connects, looks up names and keeps data, and needs nothing
// beside itself. It is the pause container too.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

const usage = `probe pause                     wait for the end
probe serve KIND:[ADDRESS:]PORT...        answer on tcp, udp or tls ports with the name of the pod, until the end
probe connect KIND:HOST:PORT... print "open" or "closed" for each; succeed if all are open
probe lookup NAME               print the addresses of a name, sorted
probe append FILE TEXT          add a line to a file, print the whole file, and wait for the end`

// deadline is how long a connection and its answer may take.
const deadline = 2 * time.Second

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return fmt.Errorf("%s", usage)
	}
	command, rest := arguments[0], arguments[1:]
	switch {
	case command == "pause":
		wait()
		return nil
	case command == "serve":
		return serve(rest)
	case command == "connect":
		return connect(rest)
	case command == "lookup" && len(rest) == 1:
		return lookup(rest[0])
	case command == "append" && len(rest) == 2:
		return add(rest[0], rest[1])
	}
	return fmt.Errorf("%s", usage)
}

// wait returns when the pod is to end.
func wait() {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}

// connect tries all targets at once and prints them in the order in which they are named.
func connect(targets []string) error {
	results := make([]string, len(targets))
	var group sync.WaitGroup
	for i, target := range targets {
		group.Go(func() {
			kind, address, _ := strings.Cut(target, ":")
			if answer, err := ask(kind, address); err != nil {
				results[i] = fmt.Sprintf("closed %s %v", target, err)
			} else {
				results[i] = fmt.Sprintf("open %s %s", target, answer)
			}
		})
	}
	group.Wait()
	fmt.Println(strings.Join(results, "\n"))
	if slices.ContainsFunc(results, func(line string) bool { return strings.HasPrefix(line, "closed") }) {
		return fmt.Errorf("not all are open")
	}
	return nil
}

func lookup(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*deadline)
	defer cancel()
	addresses, err := resolver.LookupHost(ctx, name)
	if err != nil {
		return err
	}
	slices.Sort(addresses)
	fmt.Println(strings.Join(addresses, "\n"))
	return nil
}

func add(file, text string) error {
	open, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(open, text); err != nil {
		return err
	}
	if err := open.Close(); err != nil {
		return err
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	fmt.Print(string(whole))
	wait()
	return nil
}
