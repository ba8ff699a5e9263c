#include "adapters/disk_file_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/text.hpp"

namespace fota::adapters {
namespace {

constexpr std::size_t most_entries = 10'000;

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

/// Where the kernel has no openat2 (before 5.6, or under a filter): component by component, following no link at all.
int open_stepwise(int root, const std::string& path, int flags) {
    int at = ::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (std::size_t from = 0; at >= 0 && from <= path.size();) {
        const auto to = std::min(path.find('/', from), path.size());
        const auto name = path.substr(from, to - from);
        from = to + 1;
        if (name.empty()) continue;
        const bool last = from > path.size();
        const int next =
            name == ".." ? (errno = EXDEV, -1)
                         : ::openat(at, name.c_str(), (last ? flags : O_RDONLY | O_DIRECTORY) | O_NOFOLLOW | O_CLOEXEC);
        const int problem = errno;
        ::close(at);
        errno = problem;
        at = next;
    }
    return at;
}

}  // namespace

Result<DiskFileTree> DiskFileTree::open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        const char* found = errno == ENOTDIR ? "a file" : std::strerror(errno);
        return fail(
            Error(Errc::file_unreadable, fmt::format("expected a directory, found {}: {}", found, printable(path)))
                .with("file", printable(path)));
    }
    return DiskFileTree(path, fd);
}

DiskFileTree::DiskFileTree(DiskFileTree&& other) noexcept
    : root_(std::move(other.root_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

DiskFileTree& DiskFileTree::operator=(DiskFileTree&& other) noexcept {
    std::swap(root_, other.root_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

DiskFileTree::~DiskFileTree() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

int DiskFileTree::open_inside(const std::string& path, int flags) const {
    open_how how{};
    // Opening a pipe that nobody writes must not wait; openat2 takes no O_NONBLOCK beside O_PATH.
    if ((flags & O_PATH) == 0) flags |= O_NONBLOCK;
    how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    const auto fd =
        static_cast<int>(::syscall(SYS_openat2, descriptor_, path.empty() ? "." : path.c_str(), &how, sizeof how));
    if (fd < 0 && (errno == ENOSYS || errno == EPERM)) return open_stepwise(descriptor_, path, flags);
    return fd;
}

bool DiskFileTree::is_file(const std::string& path) const {
    const Descriptor file(open_inside(path, O_PATH));
    struct stat info {};
    return file.get() >= 0 && ::fstat(file.get(), &info) == 0 && S_ISREG(info.st_mode);
}

bool DiskFileTree::is_directory(const std::string& path) const {
    const Descriptor file(open_inside(path, O_PATH));
    struct stat info {};
    return file.get() >= 0 && ::fstat(file.get(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<Bytes> DiskFileTree::read(const std::string& path, std::uint64_t limit) const {
    const auto refuse = [&](std::string_view found) {
        return fail(Error(Errc::file_unreadable,
                          fmt::format("expected a readable file, found {}: {}", found, printable(display_name(path))))
                        .with("file", printable(display_name(path))));
    };
    const Descriptor file(open_inside(path, O_RDONLY));
    if (file.get() < 0) return refuse(errno == EXDEV ? "a link out of the directory" : std::strerror(errno));
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return refuse(std::strerror(errno));
    if (!S_ISREG(info.st_mode)) return refuse("something that is no file");
    if (static_cast<std::uint64_t>(info.st_size) > limit)
        return refuse(fmt::format("more than {} bytes", with_thousands(limit)));
    Bytes out;
    out.resize(static_cast<std::size_t>(info.st_size));
    std::size_t have = 0;
    while (have < out.size()) {
        const auto got = ::read(file.get(), out.data() + have, out.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse(std::strerror(errno));
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    out.resize(have);
    return out;
}

std::vector<FileTree::Entry> DiskFileTree::list(const std::string& path) const {
    std::vector<Entry> out;
    Descriptor directory(open_inside(path, O_RDONLY | O_DIRECTORY));
    if (directory.get() < 0) return out;
    DIR* stream = ::fdopendir(directory.get());
    if (stream == nullptr) return out;
    (void)directory.release();  // the stream closes it
    while (const auto* entry = ::readdir(stream)) {
        const std::string name = entry->d_name;
        if (name == "." || name == "..") continue;
        if (out.size() >= most_entries) break;
        bool is_directory = entry->d_type == DT_DIR;
        if (entry->d_type == DT_UNKNOWN || entry->d_type == DT_LNK)
            is_directory = this->is_directory(path.empty() ? name : path + "/" + name);
        out.push_back({name, is_directory});
    }
    ::closedir(stream);
    std::ranges::sort(out, {}, &Entry::name);
    return out;
}

std::string DiskFileTree::display_name(const std::string& path) const {
    if (path.empty()) return root_;
    return root_.ends_with('/') ? root_ + path : root_ + "/" + path;
}

}  // namespace fota::adapters
