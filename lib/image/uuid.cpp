#include "image/uuid.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <new>
#include <optional>

#include "base/bytes.hpp"
#include "base/text.hpp"

namespace fota::image {
namespace {

/// RFC 4122, appendix C.
constexpr Uuid dns_name_space{0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                              0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};

std::optional<Uuid> from_digits(std::string_view text) {
    std::string digits(text);
    if (digits.size() == 36) {
        for (const std::size_t at : {23, 18, 13, 8}) {
            if (digits[at] != '-') return std::nullopt;
            digits.erase(at, 1);
        }
    }
    const auto bytes = digits.size() == 32 ? from_hex(digits) : std::nullopt;
    if (!bytes || bytes->size() != 16) return std::nullopt;
    Uuid out{};
    std::ranges::copy(*bytes, out.begin());
    return out;
}

Result<> check_name(std::string_view text, const char* what) {
    // printable() leaves a name alone only where it holds nothing to escape.
    if (!text.empty() && text.size() <= 255 && printable(text) == text) return {};
    return fail(Errc::usage,
                fmt::format("expected a {} identifier: a UUID or a name, found \"{}\"", what, printable(text, 60)));
}

}  // namespace

Uuid uuid5(const Uuid& name_space, std::string_view name) {
    Bytes message(name_space.begin(), name_space.end());
    append(message, as_bytes(name));
    std::array<std::uint8_t, 20> hash{};
    unsigned length = 0;
    // Fails only when memory is exhausted.
    if (EVP_Digest(message.data(), message.size(), hash.data(), &length, EVP_sha1(), nullptr) != 1)
        throw std::bad_alloc();
    Uuid out{};
    std::copy_n(hash.begin(), out.size(), out.begin());
    out[6] = static_cast<std::uint8_t>((out[6] & 0x0f) | 0x50);
    out[8] = static_cast<std::uint8_t>((out[8] & 0x3f) | 0x80);
    return out;
}

Result<Uuid> vendor_uuid(std::string_view text) {
    TRY_VOID(check_name(text, "vendor"));
    return from_digits(text).value_or(uuid5(dns_name_space, text));
}

Result<Uuid> class_uuid(std::string_view text, const Uuid* vendor) {
    TRY_VOID(check_name(text, "class"));
    if (const auto given = from_digits(text)) return *given;
    if (vendor == nullptr)
        return fail(Errc::usage, fmt::format("expected a vendor identifier, in whose name space the class \"{}\" lies, "
                                             "found none",
                                             printable(text, 60)));
    return uuid5(*vendor, text);
}

}  // namespace fota::image
