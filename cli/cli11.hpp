// CLI11, to be included through here alone.
//
// CLI11 2.1 makes eight ready validators (CLI::ExistingFile, CLI::PositiveNumber, ...) in every file that includes it.
// No command uses them, and yet each of some sixty files would construct and destroy its own eight at every start of
// the program: a quarter of the instructions of a short command, in code and data that lie all over the program and so
// count for 1 MiB of its memory. Here they become null pointers, which cost nothing. Other releases are taken as they
// are.
#pragma once

#include <CLI/Version.hpp>

#if CLI11_VERSION_MAJOR == 2 && CLI11_VERSION_MINOR == 1
#include <CLI/Error.hpp>
#include <CLI/StringTools.hpp>
#include <CLI/TypeTools.hpp>
#define ExistingFile *const ExistingFile = nullptr
#define ExistingDirectory *const ExistingDirectory = nullptr
#define ExistingPath *const ExistingPath = nullptr
#define NonexistentPath *const NonexistentPath = nullptr
#define ValidIPV4 *const ValidIPV4 = nullptr
// These have arguments; names alone, as in templates, stay what they are.
#define Number(...) *const Number = nullptr
#define NonNegativeNumber(...) *const NonNegativeNumber = nullptr
#define PositiveNumber(...) *const PositiveNumber = nullptr
#include <CLI/Validators.hpp>
#undef ExistingFile
#undef ExistingDirectory
#undef ExistingPath
#undef NonexistentPath
#undef ValidIPV4
#undef Number
#undef NonNegativeNumber
#undef PositiveNumber
#endif

#include <CLI/CLI.hpp>
