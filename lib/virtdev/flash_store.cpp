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

}  // namespace

FlashStore FlashStore::memory(std::uint32_t size) {
    FlashStore store;
    store.memory_.assign(size, 0xff);
    store.data_ = store.memory_.data();
    store.size_ = size;
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
      fresh_(other.fresh_),
      memory_(std::move(other.memory_)) {}

FlashStore& FlashStore::operator=(FlashStore&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        fd_ = std::exchange(other.fd_, -1);
        fresh_ = other.fresh_;
        memory_ = std::move(other.memory_);
    }
    return *this;
}

FlashStore::~FlashStore() {
    release();
}

void FlashStore::release() noexcept {
    if (fd_ < 0) return;
    if (data_ != nullptr) ::munmap(data_, size_);
    ::close(fd_);
    fd_ = -1;
}

}  // namespace fota::virtdev
