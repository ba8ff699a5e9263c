#include "virtdev/flash_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <utility>

namespace fota::virtdev {

namespace {

std::string reason() {
    return std::strerror(errno);
}

/// Creates the file with erased cells; another process that does the same at the same time wins or loses as a whole.
Result<void> create_erased(const std::string& path, std::uint32_t size) {
    std::string temporary = fmt::format("{}.new.{}", path, ::getpid());
    int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) return fail(Errc::file_unwritable, fmt::format("cannot create {}: {}", temporary, reason()));
    const Bytes erased(64 * 1024, 0xff);
    std::string problem;
    for (std::uint32_t at = 0; at < size && problem.empty();) {
        auto written = ::write(fd, erased.data(), std::min<std::size_t>(erased.size(), size - at));
        if (written > 0) at += static_cast<std::uint32_t>(written);
        if (written == 0 || (written < 0 && errno != EINTR)) problem = reason();
    }
    if (problem.empty() && ::fsync(fd) != 0) problem = reason();
    ::close(fd);
    if (problem.empty() && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST) problem = reason();
    ::unlink(temporary.c_str());
    if (!problem.empty()) return fail(Errc::file_unwritable, fmt::format("cannot create {}: {}", path, problem));
    return {};
}

/// Erased cells that every part in memory maps again and again, copy on write.
constexpr std::size_t base_size = 1U << 20;
int erased_base() {
    const int fd = ::memfd_create("erased flash", MFD_CLOEXEC);
    if (fd < 0) return -1;
    const Bytes erased(base_size, 0xff);
    if (::write(fd, erased.data(), erased.size()) == static_cast<ssize_t>(erased.size())) return fd;
    ::close(fd);
    return -1;
}

}  // namespace

FlashStore FlashStore::memory(std::uint32_t size) {
    static const int base = erased_base();
    FlashStore store;
    if (base < 0) throw std::bad_alloc();
    void* region = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) throw std::bad_alloc();
    store.data_ = static_cast<std::uint8_t*>(region);
    store.size_ = size;
    for (std::size_t at = 0; at < size; at += base_size) {
        if (::mmap(store.data_ + at, std::min(base_size, size - at), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
                   base, 0) == MAP_FAILED)
            throw std::bad_alloc();
    }
    return store;
}

Result<FlashStore> FlashStore::file(const std::string& path, std::uint32_t size) {
    FlashStore store;
    store.fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    store.fresh_ = store.fd_ < 0 && errno == ENOENT;
    if (store.fresh_) {
        TRY_VOID(create_erased(path, size));
        store.fd_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    }
    if (store.fd_ < 0) return fail(Errc::file_unreadable, fmt::format("cannot open {}: {}", path, reason()));
    if (::flock(store.fd_, LOCK_EX | LOCK_NB) != 0) {
        return fail(Errc::store_locked,
                    fmt::format("expected {} to be free, found it in use by another virtual device", path));
    }
    struct stat info {};
    if (::fstat(store.fd_, &info) != 0) {
        return fail(Errc::file_unreadable, fmt::format("cannot read {}: {}", path, reason()));
    }
    if (!S_ISREG(info.st_mode) || info.st_size != static_cast<off_t>(size)) {
        return fail(Errc::file_unreadable,
                    fmt::format("{}: expected a raw flash image of {} bytes, found {}", path, size,
                                S_ISREG(info.st_mode) ? fmt::format("{} bytes", info.st_size) : "no regular file"));
    }
    void* mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, store.fd_, 0);
    if (mapped == MAP_FAILED) return fail(Errc::file_unreadable, fmt::format("cannot map {}: {}", path, reason()));
    store.data_ = static_cast<std::uint8_t*>(mapped);
    store.size_ = size;
    return store;
}

FlashStore::FlashStore(FlashStore&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      fd_(std::exchange(other.fd_, -1)),
      fresh_(other.fresh_) {}

FlashStore& FlashStore::operator=(FlashStore&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        fd_ = std::exchange(other.fd_, -1);
        fresh_ = other.fresh_;
    }
    return *this;
}

FlashStore::~FlashStore() {
    release();
}

void FlashStore::release() noexcept {
    if (data_ != nullptr) ::munmap(data_, size_);
    if (fd_ >= 0) ::close(fd_);
    data_ = nullptr;
    fd_ = -1;
}

}  // namespace fota::virtdev
