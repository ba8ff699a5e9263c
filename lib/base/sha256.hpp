// SHA-256 (FIPS 180-4) through libcrypto, one-shot and incremental.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/bytes.hpp"

struct evp_md_ctx_st;

namespace fota {

using Digest256 = std::array<std::uint8_t, 32>;

Digest256 sha256(BytesView data);

class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(BytesView data);
    /// Digest of everything so far; the object may be updated further.
    Digest256 digest() const;

  private:
    struct Free {
        void operator()(evp_md_ctx_st* ctx) const noexcept;
    };
    std::unique_ptr<evp_md_ctx_st, Free> ctx_;
};

}  // namespace fota
