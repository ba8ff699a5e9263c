// Ownership of libcrypto's objects: std::unique_ptr<BIGNUM, Free<BN_clear_free>>.
#pragma once

#include <memory>

namespace fota::image {

template <auto function>
struct Free {
    void operator()(auto* pointer) const noexcept { function(pointer); }
};

}  // namespace fota::image
