// Files for commands: bounded reading, secrets that only their owner may read, and writing that never leaves half a
// file.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace fota::cli {

/// An image, a package: far above any slot, far below what would exhaust memory.
inline constexpr std::uint64_t image_file_limit = 64ULL * 1024 * 1024;
/// A key, a passphrase, a credentials list.
inline constexpr std::uint64_t small_file_limit = 1024ULL * 1024;

/// The whole file; "-" is stdin. file_unreadable (detail "file") when it is missing, a directory, longer than `limit`
/// bytes, or cannot be read.
Result<Bytes> read_file(const std::string& path, std::uint64_t limit);

/// The same in pieces of at most 64 KiB, for what need not be in memory whole: `take` gets each one, and how many bytes
/// the file has, 0 where that is not known. Ends with the first failure of `take`.
Result<> read_pieces(const std::string& path, std::uint64_t limit,
                     const std::function<Result<>(BytesView, std::uint64_t size)>& take);

/// The same for secrets: a regular file that group or others may read is refused with credentials_unusable (detail
/// "file"). Pipes and stdin are taken as they are.
Result<Secret<Bytes>> read_secret_file(const std::string& path, std::uint64_t limit = small_file_limit);

enum class Existing { replace, refuse };

/// Writes to a temporary file beside `path`, syncs it and renames it into place; "-" is stdout, and what is no regular
/// file (a pipe, /dev/null) is written directly. `mode` is the permission of the new file, before umask. With
/// Existing::refuse an existing file is left alone. file_unwritable (detail "file") in all cases.
Result<> write_file_atomic(const std::string& path, BytesView bytes, mode_t mode = 0666,
                           Existing existing = Existing::replace);

/// The same for what one more run of the command makes again: it is not synced, so that a power cut, but no kill, may
/// cost it. Syncing takes longer than signing.
Result<> write_product(const std::string& path, BytesView bytes, mode_t mode = 0666);

/// What comes into being piece by piece hands each one to a Sink. Where it fails in between, the old file stays.
using Sink = std::function<Result<>(BytesView)>;
using Producer = std::function<Result<>(const Sink&)>;
Result<> write_product(const std::string& path, const Producer& produce, mode_t mode = 0666);

/// Whether both paths name one file, there or still to be written; "-" is none.
bool same_file(const std::string& a, const std::string& b);

/// "stdin" or the path, safe to print.
std::string shown_path(const std::string& path);

}  // namespace fota::cli
