#include "base/base64url.hpp"

#include <openssl/evp.h>

namespace fota {

std::string to_base64url(BytesView bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const auto size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    while (out.ends_with('=')) out.pop_back();
    for (auto& each : out) each = each == '+' ? '-' : each == '/' ? '_' : each;
    return out;
}

std::optional<Bytes> from_base64url(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    const auto padding = (4 - text.size() % 4) % 4;
    if (padding == 3 || text.size() > 1u << 30) return std::nullopt;
    std::string padded;
    padded.reserve(text.size() + padding);
    for (const char each : text) {
        if (each == '+' || each == '/' || each == '=') return std::nullopt;
        padded += each == '-' ? '+' : each == '_' ? '/' : each;
    }
    padded.append(padding, '=');
    Bytes out(padded.size() / 4 * 3 + 1);
    const auto size = EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(padded.data()),
                                      static_cast<int>(padded.size()));
    // EVP_DecodeBlock skips white space at both ends; a whole number of groups is what was asked for.
    if (size < 0 || static_cast<std::size_t>(size) != padded.size() / 4 * 3) return std::nullopt;
    out.resize(static_cast<std::size_t>(size) - padding);
    return out;
}

}  // namespace fota
