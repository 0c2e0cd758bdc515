package lanes_test

import (
	"testing"

	"helix/shared/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }
