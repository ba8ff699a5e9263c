// toml++'s code out of its headers: see cli/CMakeLists.txt.
#define TOML_IMPLEMENTATION
#include <toml++/toml.h>
