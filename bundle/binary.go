package bundle

import (
	"debug/elf"
	"fmt"
)

// BinaryError says why a file cannot be the binary of a bundle.
type BinaryError struct {
	File, Reason string
	Dynamic      bool // it needs libraries of the machine
}

// Error gives the file and the reason.
func (e *BinaryError) Error() string { return e.File + " " + e.Reason }

// Hint says what to do.
func (e *BinaryError) Hint() string {
	if e.Dynamic {
		return "build it with CGO_ENABLED=0, as make build does; --binary names one that was built so"
	}
	return "--binary names the upstep that travels, built for the machine that runs the bundle"
}

// machines are the architectures by Go's names, in the order of ELF's numbers.
func architecture(f *elf.File) string {
	little := f.Data == elf.ELFDATA2LSB
	switch {
	case f.Machine == elf.EM_X86_64:
		return "amd64"
	case f.Machine == elf.EM_AARCH64 && little:
		return "arm64"
	case f.Machine == elf.EM_386:
		return "386"
	case f.Machine == elf.EM_PPC64 && little:
		return "ppc64le"
	case f.Machine == elf.EM_S390:
		return "s390x"
	case f.Machine == elf.EM_RISCV && f.Class == elf.ELFCLASS64:
		return "riscv64"
	case f.Machine == elf.EM_LOONGARCH && f.Class == elf.ELFCLASS64:
		return "loong64"
	}
	return ""
}

// inspect gives the architecture of a binary that needs nothing of the machine it runs
// on; any other is a *BinaryError.
func inspect(file string) (string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return "", &BinaryError{File: file, Reason: "is no binary for Linux: " + err.Error()}
	}
	defer func() { _ = f.Close() }()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return "", &BinaryError{File: file, Reason: "is linked dynamically: it would need the libraries of this machine on the other", Dynamic: true}
		}
	}
	arch := architecture(f)
	if arch == "" {
		return "", &BinaryError{File: file, Reason: fmt.Sprintf("is for %s, which is not supported", f.Machine)}
	}
	return arch, nil
}
