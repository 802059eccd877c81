package records

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"
)

// savedRecords is the file of one org's records. It is small enough (a demonstration has
// a few hundred) to be written anew after every change.
type savedRecords struct {
	Serial  map[string]int           // by key prefix: the last number given
	Writes  int                      // orders the recent items
	Records map[string][]savedRecord // by object, in order of creation
}

// savedRecord is one record in the file; its id is among the values.
type savedRecord struct {
	Values    map[string]any
	Changed   int
	DeletedAt time.Time `json:",omitzero"` // set: it is in the Recycle Bin

	Categories map[string]string `json:",omitempty"` // of an article
}

// readFile replaces the records by those of the file, or writes the file where there is
// none.
func (d *Store) readFile() error {
	content, err := os.ReadFile(d.cfg.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := d.write(); err != nil {
			return fmt.Errorf("saving the simulator's records: %w", err)
		}
		return nil
	case err != nil:
		return fmt.Errorf("reading the simulator's records: %w", err)
	}
	if err := d.load(content); err != nil {
		return fmt.Errorf("reading the simulator's records %s: %w", d.cfg.File, err)
	}
	return nil
}

// load replaces the records by those of a file. After an error the Store is of no use.
func (d *Store) load(content []byte) error {
	var saved savedRecords
	if err := json.Unmarshal(content, &saved); err != nil {
		return err
	}
	d.clear()
	maps.Copy(d.serial, saved.Serial)
	d.writes = saved.Writes
	for name, records := range saved.Records {
		s := d.schema.object(name)
		if s == nil {
			return fmt.Errorf("object %q: no such object", name)
		}
		for _, x := range records {
			id, _ := x.Values["Id"].(string)
			if !ValidID(id, s.Prefix) || d.byID[id] != nil {
				return fmt.Errorf("object %s: id %q: want an id of the object, once", name, id)
			}
			r := &record{object: s, id: id, values: x.Values, changed: x.Changed, deletedAt: x.DeletedAt, categories: x.Categories}
			d.rows[s] = append(d.rows[s], r)
			d.byID[id] = r
		}
	}
	return nil
}

// save writes the file where something changed since it was written last; the caller
// holds mu. Failure is logged, not answered, as for the state: the simulator still works,
// and the next call tries again.
func (d *Store) save() {
	if d.cfg.File == "" || !d.unsaved {
		return
	}
	if err := d.write(); err != nil {
		d.cfg.Log.Error("saving the simulator's records", "error", err)
	}
}

// Snapshot is the content of the file, as it would be written now.
func (d *Store) Snapshot() ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.encode()
}

func (d *Store) encode() ([]byte, error) {
	saved := savedRecords{Serial: d.serial, Writes: d.writes, Records: map[string][]savedRecord{}}
	for s, rows := range d.rows {
		for _, r := range rows {
			saved.Records[s.Name] = append(saved.Records[s.Name], savedRecord{r.values, r.changed, r.deletedAt, r.categories})
		}
	}
	return json.Marshal(saved)
}

func (d *Store) write() error {
	content, err := d.encode()
	if err != nil {
		return err
	}
	if err := ReplaceFile(d.cfg.File, content); err != nil {
		return err
	}
	d.unsaved = false
	return nil
}

// ReplaceFile writes a file as a whole or not at all, whenever the process or the machine
// stops: until the new content is on disk, the name stands for the old one.
func ReplaceFile(name string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(name), ".salesforcesim-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), name)
}
