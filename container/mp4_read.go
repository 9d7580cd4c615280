package container

func readMP4(src source) (Extras, error)                 { return Extras{Format: MP4}, nil }
func planMP4(src source, changes Changes) (patch, error) { return patch{}, ErrUnsupported }
