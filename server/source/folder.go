package source

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// File is a file in a folder.
type File struct {
	Name     string // as Open takes it
	Size     int64
	Modified time.Time
}

// Split takes the source of a file apart into its folder and its name there; false
// for a URL and for what is no name.
func Split(source string) (folder, base string, ok bool) {
	n, err := parse(source)
	if err != nil || n.url != nil {
		return "", "", false
	}
	return path.Join(n.root, path.Dir(n.path)), path.Base(n.path), true
}

// Folder opens a folder, "root" or "root/path", from which nothing leads out. With
// make set, folders that are missing below the root are made. Errors are Errors. The
// caller closes it.
func (o *Opener) Folder(folder string, make bool) (*os.Root, error) {
	n, err := parseFolder(folder)
	if err != nil {
		return nil, err
	}
	dir, known := o.roots[n.root]
	if !known {
		return nil, o.noRoot(n.root)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fail(CodeUnreadable, errno(err), "the root %q cannot be opened; see that its folder is there and readable", n.root)
	}
	if n.path == "." {
		return root, nil
	}
	defer func() { _ = root.Close() }() // what is opened below it stays open
	if make {
		if err := root.MkdirAll(n.path, 0o777); err != nil { // less what the umask takes
			return nil, folderError(n, err)
		}
	}
	below, err := root.OpenRoot(n.path)
	if err != nil {
		return nil, folderError(n, err)
	}
	return below, nil
}

// parseFolder takes the name of a folder apart; the root's own path is ".".
func parseFolder(folder string) (name, error) {
	if folder != "" && !strings.Contains(folder, "/") {
		folder += "/."
		if n, err := parse(folder + "x"); err != nil { // the rules of all names
			return n, err
		}
		return name{root: strings.TrimSuffix(folder, "/."), path: "."}, nil
	}
	n, err := parse(folder)
	if err == nil && n.url != nil {
		err = fail(CodeRefused, nil, "a folder lies under a root, and is no URL")
	}
	return n, err
}

// folderError gives an error met on the way to a folder its code.
func folderError(n name, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fail(CodeNotFound, errno(err), "there is no folder %q", n.public())
	}
	return pathError(n, err)
}

// Stat tells of a file, or that a name is a folder's. Errors are Errors.
func (o *Opener) Stat(source string) (file File, folder bool, err error) {
	n, err := parseFolder(source)
	if err != nil {
		return file, false, err
	}
	dir, known := o.roots[n.root]
	if !known {
		return file, false, o.noRoot(n.root)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return file, false, fail(CodeUnreadable, errno(err), "the root %q cannot be opened; see that its folder is there and readable", n.root)
	}
	defer func() { _ = root.Close() }() // only looked into
	info, err := root.Stat(n.path)
	if err != nil {
		return file, false, pathError(n, err)
	}
	if info.IsDir() {
		return file, true, nil
	}
	return File{source, info.Size(), info.ModTime()}, false, checkFile(n, info)
}

// Walk calls each for every regular file in a folder and those below it, in the
// order of their names. Hidden ones and links are passed over; a file that no source
// can name, since its name is not UTF-8 or has control characters, is told to odd with
// its name quoted. The error is each's, an Error, or ctx's cause.
func (o *Opener) Walk(ctx context.Context, folder string, each func(File) error, odd func(quoted string)) error {
	n, err := parseFolder(folder)
	if err != nil {
		return err
	}
	root, err := o.Folder(folder, false)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // only looked into
	return fs.WalkDir(root.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil && at == ".":
			return folderError(n, err)
		case err != nil:
			odd(quote(at)) // one that may not be read hides no other
			return nil
		case at != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !entry.Type().IsRegular():
			return nil
		case !utf8.ValidString(at) || strings.ContainsFunc(at, unicode.IsControl):
			odd(quote(at))
			return nil
		}
		info, err := entry.Info()
		if err != nil { // it has gone meanwhile
			return nil
		}
		return each(File{path.Join(n.root, n.path, at), info.Size(), info.ModTime()})
	})
}

// quote makes any name one that can be shown.
func quote(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
}

// CheckURL refuses what is no URL that may be read from. Whether there is a film is
// seen when it is opened. Errors are Errors.
func (o *Opener) CheckURL(source string) (*url.URL, error) { return Hosts{o.hosts}.Check(source) }
