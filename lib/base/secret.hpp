// Secret<T>: a value which cannot be printed and is wiped when it goes out of scope.
#pragma once

#include <openssl/crypto.h>

#include <concepts>
#include <utility>

namespace fota {

template <class T>
concept Wipeable = requires(T& t) {
    t.data();
    t.size();
};

/// Holds a contiguous container (Bytes, std::string). No operator<<, no fmt formatter, no implicit conversion;
/// comparing is left to equal_constant_time on reveal(). Copies are explicit (clone) so that each is deliberate.
template <Wipeable T>
class Secret {
  public:
    Secret() = default;
    explicit Secret(T value) : value_(std::move(value)) {}
    Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.wipe(); }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            wipe();
            value_ = std::move(other.value_);
            other.wipe();
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { wipe(); }

    Secret clone() const { return Secret(value_); }
    const T& reveal() const noexcept { return value_; }
    bool empty() const noexcept { return value_.size() == 0; }

  private:
    void wipe() noexcept {
        if (value_.size() > 0) OPENSSL_cleanse(value_.data(), value_.size() * sizeof(*value_.data()));
        value_.clear();
    }
    T value_{};
};

}  // namespace fota
