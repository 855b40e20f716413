package cri

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// installedMode lets any user run the helper, since the target images choose
// their own user, and nobody change it.
const installedMode fs.FileMode = 0o555

// Install copies the program at source to dir/ProgramName.
//
// The copy appears complete or not at all, so a container that is started again
// after a crash may install once more, also over a copy that is being executed.
func Install(source, dir string) error {
	if err := checkDirectory(dir); err != nil {
		return fmt.Errorf("install: %w", err)
	}
	if err := replaceFile(source, dir, ProgramName); err != nil {
		return fmt.Errorf("install into %s: %w", dir, explain(err))
	}
	return nil
}

func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %s is missing, is the volume mounted there? %w", dir, err)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory: %w", dir, syscall.ENOTDIR)
	}
	return nil
}

// replaceFile writes a temporary file beside the target, then renames it: a
// rename within one directory is atomic.
func replaceFile(source, dir, name string) (err error) {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp, err := os.CreateTemp(dir, "."+name+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(tmp.Name())
		}
	}()
	if err := fill(tmp, in); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, name))
}

// fill copies, sets the mode and closes. The mode is set on the open file,
// because the umask does not apply there.
func fill(tmp *os.File, in io.Reader) error {
	_, err := io.Copy(tmp, in)
	return errors.Join(err, tmp.Chmod(installedMode), tmp.Close())
}

// explain adds the usual cause to errors whose own words leave the reader
// guessing: they end up in the status of an ImageCache.
func explain(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the volume is full: %w", err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the volume is read-only: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not write there, is fsGroup set? %w", err)
	}
	return err
}
