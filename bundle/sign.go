package bundle

import (
	"errors"
	"fmt"
	"strings"

	"aead.dev/minisign"
)

// Key is a public key of minisign.
type Key = minisign.PublicKey

// SignKey is a private key of minisign.
type SignKey = minisign.PrivateKey

// ErrPassword says that a private key needs a password, or another one.
var ErrPassword = errors.New("the key is encrypted, and the password does not open it")

// ParseKey reads a public key: the line of minisign's file, with the comment above it or
// without.
func ParseKey(text string) (Key, error) {
	var k Key
	if err := k.UnmarshalText([]byte(strings.TrimSpace(text))); err != nil {
		return Key{}, errors.New("is no public key of minisign")
	}
	return k, nil
}

// Encrypted tells whether a private key needs a password.
func Encrypted(text []byte) bool { return minisign.IsEncrypted(text) }

// ParseSignKey reads a private key. A password that does not open it is ErrPassword.
func ParseSignKey(text []byte, password string) (SignKey, error) {
	if Encrypted(text) {
		k, err := minisign.DecryptKey(password, text)
		if err != nil {
			return SignKey{}, ErrPassword
		}
		return k, nil
	}
	var k SignKey
	if err := k.UnmarshalText(text); err != nil {
		return SignKey{}, errors.New("is no private key of minisign")
	}
	return k, nil
}

// sign signs the list of sums. The comments name no time, so that the same input gives the
// same bytes.
func sign(key SignKey, sums []byte, m *Manifest) []byte {
	return minisign.SignWithComments(key, sums, "bundle "+m.Folder(), "signature of "+SumsFile+" of an upstep bundle")
}

// UntrustedError says that a bundle has no signature by a key that is trusted.
type UntrustedError struct{ Reason string }

// Error gives the reason.
func (e *UntrustedError) Error() string { return "the bundle " + e.Reason }

// Hint says what to do.
func (e *UntrustedError) Hint() string {
	return "a key is configured here, so nothing runs that is not signed by it: get the bundle anew from whom you trust, or have it signed with --sign-key"
}

// trusted checks the signature of a list of sums, and gives the id of the key that made it.
func trusted(keys []Key, sums, signature []byte) (string, error) {
	if signature == nil {
		return "", &UntrustedError{"is not signed"}
	}
	var s minisign.Signature
	if err := s.UnmarshalText(signature); err != nil {
		return "", &UntrustedError{"has a signature that is none of minisign"}
	}
	for _, k := range keys {
		switch {
		case k.ID() != s.KeyID:
		case minisign.Verify(k, sums, signature):
			return keyID(s.KeyID), nil
		default:
			return "", &UntrustedError{"has a signature that does not belong to its list of sums"}
		}
	}
	return "", &UntrustedError{fmt.Sprintf("is signed by key %s, which is not trusted here", keyID(s.KeyID))}
}

func keyID(id uint64) string { return fmt.Sprintf("%016X", id) }

// SignedBy gives the id of the key that a signature names, unchecked.
func signedBy(signature []byte) string {
	var s minisign.Signature
	if signature == nil || s.UnmarshalText(signature) != nil {
		return ""
	}
	return keyID(s.KeyID)
}
