// Command tabot-build makes a component of a strategy in Go: tabot-build -o strategy.wasm ./strategy
//
// It needs these programs on PATH, or named in the variables beside them: go (GO), wasm-tools (WASM_TOOLS), wasm-merge
// (WASM_MERGE, of binaryen) and wizer (WIZER). The README says where they come from.
package main

import (
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed adapter wit
var files embed.FS

func main() {
	output := flag.String("o", "", "the component to write, such as strategy.wasm")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "tabot-build -o FILE [FOLDER]: makes a component of the package main in FOLDER, or here")
	}
	flag.Parse()
	source := "."
	if flag.NArg() == 1 {
		source = flag.Arg(0)
	}
	if *output == "" || flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := build(source, *output); err != nil {
		fmt.Fprintln(os.Stderr, "tabot-build:", err)
		os.Exit(1)
	}
}

func build(source, output string) error {
	output, err := filepath.Abs(output)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "tabot-build-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := copyTo(work); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(work, name) }
	tool := func(variable, name string) string {
		if named := os.Getenv(variable); named != "" {
			return named
		}
		return name
	}
	compiler, tools := tool("GO", "go"), tool("WASM_TOOLS", "wasm-tools")
	// Whatever is wrong with the declaration shows natively, with its line; in the snapshot it would be a mere trap.
	if err := run(source, nil, compiler, "run", "."); err != nil {
		return err
	}
	wasm := []string{"GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0"}
	steps := []struct {
		folder      string
		environment []string
		command     []string
	}{
		// A reactor: exports, and _initialize instead of _start. -s -w leave out DWARF; a stack still has its lines.
		{source, wasm, []string{compiler, "build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-s -w",
			"-o", in("core.wasm"), "."}},
		// The adapter goes into the module, and wizer starts Go once, here. The two stand-ins for the host make the
		// snapshot the same each time.
		{work, nil, []string{tools, "parse", "adapter/adapter.wat", "-o", "adapter.wasm"}},
		{work, nil, []string{tool("WASM_MERGE", "wasm-merge"), "--enable-bulk-memory", "--enable-bulk-memory-opt",
			"--enable-nontrapping-float-to-int", "--enable-sign-ext", "--enable-mutable-globals", "--enable-multivalue",
			"--enable-reference-types", "core.wasm", "env", "adapter.wasm", "wasi_snapshot_preview1", "-o", "merged.wasm"}},
		{work, nil, []string{tool("WIZER", "wizer"), "--init-func", "_initialize",
			"--preload", "ta-bot:strategy/log@1.0.0=adapter/log.wat",
			"--preload", "wasi:clocks/monotonic-clock@0.2.0=adapter/clock.wat", "-o", "snapshot.wasm", "merged.wasm"}},
		{work, nil, []string{tools, "component", "embed", "wit", "-w", "go-module", "snapshot.wasm", "-o", "embedded.wasm"}},
		{work, nil, []string{tools, "component", "new", "embedded.wasm", "-o", output}},
	}
	for _, step := range steps {
		if err := run(step.folder, step.environment, step.command...); err != nil {
			return err
		}
	}
	return nil
}

// run shows what a program said only if it failed.
func run(folder string, environment []string, command ...string) error {
	program := exec.Command(command[0], command[1:]...)
	program.Dir = folder
	program.Env = append(os.Environ(), environment...)
	said, err := program.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(command[0]), err, said)
	}
	return nil
}

func copyTo(folder string) error {
	return fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == "." {
			return err
		}
		to := filepath.Join(folder, path)
		if entry.IsDir() {
			return os.MkdirAll(to, 0o755)
		}
		text, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o644)
	})
}
