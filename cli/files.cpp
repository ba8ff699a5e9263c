#include "cli/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <random>
#include <utility>

#include "base/text.hpp"

namespace fota::cli {
namespace {

class Fd {
  public:
    explicit Fd(int fd, bool owned = true) : fd_(fd), owned_(owned) {}
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (owned_ && fd_ >= 0) close(fd_);
    }
    int get() const noexcept { return fd_; }
    bool ok() const noexcept { return fd_ >= 0; }
    /// Closes now, so that a late write error is seen.
    bool finish() noexcept {
        const int fd = std::exchange(fd_, -1);
        return !owned_ || close(fd) == 0;
    }

  private:
    int fd_;
    bool owned_;
};

/// A temporary file, which goes with this object unless it has got its name, whatever happens meanwhile.
class Temporary {
  public:
    explicit Temporary(std::filesystem::path path) : path_(std::move(path)) {}
    Temporary(const Temporary&) = delete;
    Temporary& operator=(const Temporary&) = delete;
    ~Temporary() {
        if (!path_.empty()) (void)unlink(path_.c_str());
    }
    void release() noexcept { path_.clear(); }

  private:
    std::filesystem::path path_;
};

Failure unreadable(const std::string& path, const std::string& found) {
    return fail(
        Error(Errc::file_unreadable, fmt::format("expected a readable file {}, found {}", shown_path(path), found))
            .with("file", path));
}

Failure unwritable(const std::string& path, const std::string& found) {
    return fail(Error(Errc::file_unwritable, fmt::format("expected to write {}, found {}", shown_path(path), found))
                    .with("file", path));
}

std::string reason(int error) {
    return std::strerror(error);
}

Fd open_for_reading(const std::string& path) {
    return path == "-" ? Fd(STDIN_FILENO, false) : Fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

/// Has the memory that was reserved for an image made ready in one call instead of page by page, which costs more than
/// twice as much. What fails here is done page by page.
void make_ready(std::uint8_t* begin, std::size_t size) {
    constexpr std::uintptr_t page = 4096;
    constexpr std::size_t worth_it = 128 * 1024;  // and of its own: from there on malloc() asks for whole pages
    if (size < worth_it) return;
    const auto first = (reinterpret_cast<std::uintptr_t>(begin) + page - 1) / page * page;
    const auto last = (reinterpret_cast<std::uintptr_t>(begin) + size) / page * page;
    (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_POPULATE_WRITE);
}

Failure too_long(const std::string& path, std::uint64_t limit) {
    return unreadable(path, fmt::format("more than {}", human_size(limit)));
}

/// How long a regular file is, 0 for what tells no length; a failure for what is not to be read at all.
Result<std::uint64_t> length(const struct stat& status, const std::string& path, std::uint64_t limit) {
    if (S_ISDIR(status.st_mode)) return unreadable(path, "a directory");
    if (!S_ISREG(status.st_mode)) return 0;
    const auto out = static_cast<std::uint64_t>(status.st_size);
    if (out > limit) return too_long(path, limit);
    return out;
}

Result<Bytes> read_all(int fd, const struct stat& status, const std::string& path, std::uint64_t limit) {
    TRY(const auto known, length(status, path, limit));
    // One byte more than a regular file has, so that its end is seen without growing: a secret is then never copied
    // about. What is only reserved costs nothing until it is used.
    constexpr std::size_t room_for_header_and_tlvs = 8192;
    const std::size_t size = S_ISREG(status.st_mode) ? static_cast<std::size_t>(known) + 1 : 65536;
    Bytes out;
    out.reserve(size + room_for_header_and_tlvs);
    make_ready(out.data(), out.capacity());
    out.resize(size);
    std::size_t used = 0;
    while (true) {
        if (used == out.size()) out.resize(2 * used);
        const auto got = read(fd, out.data() + used, out.size() - used);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable(path, reason(errno));
        if (got == 0) break;
        used += static_cast<std::size_t>(got);
        if (used > limit) return too_long(path, limit);
    }
    out.resize(used);
    return out;
}

bool write_all(int fd, BytesView bytes) {
    while (!bytes.empty()) {
        const auto written = write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return false;
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return true;
}

/// A rename is on disk only once its directory is.
void sync_directory(const std::filesystem::path& directory) {
    const Fd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.ok()) (void)fsync(fd.get());
}

}  // namespace

std::string shown_path(const std::string& path) {
    return path == "-" ? "stdin or stdout" : printable(path);
}

bool same_file(const std::string& a, const std::string& b) {
    if (a.empty() || b.empty() || a == "-" || b == "-") return false;
    std::error_code ignored;
    if (std::filesystem::equivalent(a, b, ignored)) return true;
    const auto first = std::filesystem::weakly_canonical(std::filesystem::absolute(a, ignored), ignored);
    return !first.empty() && first == std::filesystem::weakly_canonical(std::filesystem::absolute(b, ignored), ignored);
}

Result<Bytes> read_file(const std::string& path, std::uint64_t limit) {
    const auto fd = open_for_reading(path);
    struct stat status {};
    if (!fd.ok() || fstat(fd.get(), &status) != 0) return unreadable(path, reason(errno));
    return read_all(fd.get(), status, path, limit);
}

Result<> read_pieces(const std::string& path, std::uint64_t limit,
                     const std::function<Result<>(BytesView, std::uint64_t size)>& take) {
    const auto fd = open_for_reading(path);
    struct stat status {};
    if (!fd.ok() || fstat(fd.get(), &status) != 0) return unreadable(path, reason(errno));
    TRY(const auto size, length(status, path, limit));
    Bytes piece(65536);
    std::uint64_t used = 0;
    while (true) {
        const auto got = read(fd.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable(path, reason(errno));
        if (got == 0) return {};
        used += static_cast<std::uint64_t>(got);
        if (used > limit) return too_long(path, limit);
        TRY_VOID(take(BytesView(piece).first(static_cast<std::size_t>(got)), size));
    }
}

Result<Secret<Bytes>> read_secret_file(const std::string& path, std::uint64_t limit) {
    const auto fd = open_for_reading(path);
    struct stat status {};
    if (!fd.ok() || fstat(fd.get(), &status) != 0) return unreadable(path, reason(errno));
    if (S_ISREG(status.st_mode) && (status.st_mode & 077) != 0)
        return fail(Error(Errc::credentials_unusable,
                          fmt::format("expected {} to be readable by its owner alone (mode 0600), found mode {:04o}",
                                      shown_path(path), status.st_mode & 07777))
                        .with("file", path));
    TRY(auto bytes, read_all(fd.get(), status, path, limit));
    return Secret<Bytes>(std::move(bytes));
}

namespace {

enum class Sync { yes, no };

Producer whole(BytesView bytes) {
    return [bytes](const Sink& sink) { return sink(bytes); };
}

Result<> write_pieces(int fd, const std::string& path, const Producer& produce) {
    return produce([&](BytesView bytes) -> Result<> {
        if (write_all(fd, bytes)) return {};
        const int error = errno;
        auto out = unwritable(path, reason(error));
        if (fd != STDOUT_FILENO || error != EPIPE) return out;
        return fail(std::move(out.error()).with("reader-gone", "yes"));
    });
}

/// A file of the folder that has no name until it is whole, so that nothing of it is left when the program is killed
/// meanwhile; nothing where the file system has no such files. Result: whether it stands at `target` now.
std::optional<Result<>> write_nameless(const std::string& path, const std::filesystem::path& target,
                                       const std::filesystem::path& directory, const Producer& produce, mode_t mode) {
    Fd fd(open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, mode));
    if (!fd.ok()) return std::nullopt;
    if (auto written = write_pieces(fd.get(), path, produce); !written) return written;
    if (fsync(fd.get()) != 0) return unwritable(path, reason(errno));
    // By its number in /proc: AT_EMPTY_PATH is for the superuser alone.
    const auto number = fmt::format("/proc/self/fd/{}", fd.get());
    if (linkat(AT_FDCWD, number.c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW) == 0) return Result<>{};
    if (errno == EEXIST) return unwritable(path, reason(errno));
    return std::nullopt;
}

/// Gives a new file the permissions of the one it takes the place of; its group, too, where the system allows that, and
/// else that group's permissions to nobody.
bool take_over(int fd, const struct stat& old) {
    mode_t mode = old.st_mode & 0777;
    struct stat status {};
    if (fstat(fd, &status) == 0 && status.st_gid != old.st_gid && fchown(fd, static_cast<uid_t>(-1), old.st_gid) != 0)
        mode &= ~static_cast<mode_t>(S_IRWXG);
    return fchmod(fd, mode) == 0;
}

/// Through a temporary file beside `target`, which takes over from `replaced` where there is one.
Result<> write_named(const std::string& path, const std::filesystem::path& target,
                     const std::filesystem::path& directory, const Producer& produce, mode_t mode, Existing existing,
                     Sync sync, const struct stat* replaced) {
    std::random_device random;
    const auto name = directory / fmt::format(".{}.{:08x}.tmp", target.filename().string(), random());
    Fd fd(open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
    if (!fd.ok()) return unwritable(path, reason(errno));
    Temporary temporary(name);
    if (replaced != nullptr && !take_over(fd.get(), *replaced)) return unwritable(path, reason(errno));
    TRY_VOID(write_pieces(fd.get(), path, produce));
    if (sync == Sync::yes && fsync(fd.get()) != 0) return unwritable(path, reason(errno));
    if (!fd.finish()) return unwritable(path, reason(errno));
    if (existing == Existing::refuse) {
        // link() fails when the name was taken meanwhile; rename() would replace it.
        if (link(name.c_str(), target.c_str()) != 0) return unwritable(path, reason(errno));
        return {};
    }
    if (rename(name.c_str(), target.c_str()) != 0) return unwritable(path, reason(errno));
    temporary.release();
    return {};
}

Result<> write_atomic(const std::string& path, const Producer& produce, mode_t mode, Existing existing, Sync sync) {
    if (path == "-") return write_pieces(STDOUT_FILENO, path, produce);
    std::error_code ignored;
    // Through a link to the file it names, so that the link stays one.
    std::filesystem::path target(path);
    if (std::filesystem::is_symlink(target, ignored)) {
        auto real = std::filesystem::weakly_canonical(target, ignored);
        if (!real.empty()) target = std::move(real);
    }
    struct stat status {};
    bool replaced = false;
    if (stat(target.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) return unwritable(path, "a directory");
        if (existing == Existing::refuse) return unwritable(path, "that it exists already");
        if (!S_ISREG(status.st_mode)) {
            Fd fd(open(target.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
            if (!fd.ok()) return unwritable(path, reason(errno));
            TRY_VOID(write_pieces(fd.get(), path, produce));
            if (!fd.finish()) return unwritable(path, reason(errno));
            return {};
        }
        // What only its owner may read stays that way, whatever stood there.
        replaced = (mode & 0077) != 0;
    }

    const auto directory = target.has_parent_path() ? target.parent_path() : std::filesystem::path(".");
    if (existing == Existing::refuse)
        if (auto written = write_nameless(path, target, directory, produce, mode)) {
            if (*written && sync == Sync::yes) sync_directory(directory);
            return std::move(*written);
        }
    TRY_VOID(write_named(path, target, directory, produce, mode, existing, sync, replaced ? &status : nullptr));
    if (sync == Sync::yes) sync_directory(directory);
    return {};
}

}  // namespace

Result<> write_file_atomic(const std::string& path, BytesView bytes, mode_t mode, Existing existing) {
    return write_atomic(path, whole(bytes), mode, existing, Sync::yes);
}

Result<> write_product(const std::string& path, BytesView bytes, mode_t mode) {
    return write_product(path, whole(bytes), mode);
}

Result<> write_product(const std::string& path, const Producer& produce, mode_t mode) {
    return write_atomic(path, produce, mode, Existing::replace, Sync::no);
}

}  // namespace fota::cli
