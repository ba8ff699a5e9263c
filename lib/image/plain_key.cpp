#include "image/plain_key.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "image/openssl_free.hpp"

namespace fota::image {
namespace {

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_clear_free>>;

/// PEM of a key of 3072 bits takes 2.5 KB.
constexpr std::size_t longest_pem = 8192;

/// DER that is the same for every key of a type but for the key itself: `before`, the private half, `between`, the
/// public half. A length of 0: not there.
struct Form {
    KeyType type;
    std::string_view label;
    std::string_view before;
    std::size_t private_length;
    std::string_view between;
    std::size_t public_length;
};
constexpr std::array<Form, 10> forms{{
    {KeyType::ecdsa_p256, "PUBLIC KEY", "3059301306072a8648ce3d020106082a8648ce3d030107034200", 0, "", 65},
    {KeyType::ecdsa_p384, "PUBLIC KEY", "3076301006072a8648ce3d020106052b81040022036200", 0, "", 97},
    {KeyType::ed25519, "PUBLIC KEY", "302a300506032b6570032100", 0, "", 32},
    {KeyType::x25519, "PUBLIC KEY", "302a300506032b656e032100", 0, "", 32},
    {KeyType::ecdsa_p256, "PRIVATE KEY", "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420", 32,
     "a144034200", 65},
    {KeyType::ecdsa_p384, "PRIVATE KEY", "3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430", 48,
     "a164036200", 97},
    {KeyType::ecdsa_p256, "EC PRIVATE KEY", "30770201010420", 32, "a00a06082a8648ce3d030107a144034200", 65},
    {KeyType::ecdsa_p384, "EC PRIVATE KEY", "3081a40201010430", 48, "a00706052b81040022a164036200", 97},
    {KeyType::ed25519, "PRIVATE KEY", "302e020100300506032b657004220420", 32, "", 0},
    {KeyType::x25519, "PRIVATE KEY", "302e020100300506032b656e04220420", 32, "", 0},
}};

bool holds(BytesView der, std::size_t at, std::string_view hex) {
    const auto expected = from_hex(hex).value_or(Bytes{});
    const auto found = slice(der, at, expected.size());
    return found && std::ranges::equal(*found, expected);
}

bool is_of(BytesView der, const Form& form) {
    const auto begin = form.before.size() / 2;
    const auto middle = begin + form.private_length;
    return der.size() == middle + form.between.size() / 2 + form.public_length && holds(der, 0, form.before) &&
           holds(der, middle, form.between);
}

/// DER from its begin on; every step ends it unless what it expects is there, in its shortest form.
class Cursor {
  public:
    explicit Cursor(BytesView der) : der_(der) {}

    bool ok() const noexcept { return ok_; }
    std::size_t at() const noexcept { return at_; }

    /// The header of an element that goes on to the end of the data; the moduli read here make every one so long.
    void open_last(std::uint8_t tag) {
        const auto length = header(tag);
        if (length < 256 || length != der_.size() - at_) ok_ = false;
    }
    bool is_next(std::string_view hex) const { return ok_ && holds(der_, at_, hex); }
    void skip(std::string_view hex) {
        if (is_next(hex))
            at_ += hex.size() / 2;
        else
            ok_ = false;
    }
    /// A positive INTEGER: offset and length of its bytes, without the zero before a set sign bit.
    std::pair<std::size_t, std::size_t> positive() {
        auto length = header(2);
        if (!ok_ || length == 0) return refuse();
        if (der_[at_] == 0) {
            ++at_;
            --length;
            if (length == 0 || der_[at_] < 0x80) return refuse();
        } else if (der_[at_] >= 0x80) {
            return refuse();
        }
        const auto begin = std::exchange(at_, at_ + length);
        return {begin, length};
    }
    bool at_end() const noexcept { return ok_ && at_ == der_.size(); }

  private:
    std::pair<std::size_t, std::size_t> refuse() {
        ok_ = false;
        return {};
    }

    /// Steps over tag and length; the contents are in the data.
    std::size_t header(std::uint8_t tag) {
        const auto left = der_.size() - at_;
        if (!ok_ || left < 2 || der_[at_] != tag) return refuse().first;
        std::size_t length = der_[at_ + 1];
        std::size_t size = 2;
        if (length == 0x81 && left > 2) {
            length = der_[at_ + 2];
            size = 3;
            if (length < 0x80) return refuse().first;
        } else if (length == 0x82 && left > 3) {
            length = static_cast<std::size_t>(der_[at_ + 2] << 8 | der_[at_ + 3]);
            size = 4;
            if (length < 0x100) return refuse().first;
        } else if (length >= 0x80) {
            return refuse().first;
        }
        if (length > left - size) return refuse().first;
        at_ += size;
        return length;
    }

    BytesView der_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

struct Pem {
    std::string_view label;
    Secret<Bytes> der;
};

/// One block, its lines ended by LF, and nothing before or after it.
std::optional<Pem> only_block(std::string_view text) {
    constexpr std::string_view begin = "-----BEGIN ";
    constexpr std::string_view dashes = "-----\n";
    if (text.size() > longest_pem || !text.starts_with(begin)) return std::nullopt;
    text.remove_prefix(begin.size());
    const auto label = text.substr(0, text.find(dashes));
    if (label.size() == text.size()) return std::nullopt;
    text.remove_prefix(label.size() + dashes.size());
    const auto end = "-----END " + std::string(label) + "-----\n";
    if (!text.ends_with(end)) return std::nullopt;
    text.remove_suffix(end.size());

    constexpr std::size_t line = 64;  // RFC 7468: all but the last
    Bytes base64;
    base64.reserve(text.size());
    while (!text.empty()) {
        const auto length = text.find('\n');
        const bool last = length + 1 == text.size();
        if (length == std::string_view::npos || length == 0 || length > line || (!last && length != line))
            return std::nullopt;
        append(base64, as_bytes(text.substr(0, length)));
        text.remove_prefix(length + 1);
    }
    const Secret<Bytes> wiped(std::move(base64));
    const auto& all = wiped.reveal();
    // EVP_DecodeBlock() decodes '=' to zeros wherever it stands, and does not tell how many there were.
    const auto digits = as_text(all).substr(0, as_text(all).find('='));
    const auto padding = all.size() - digits.size();
    if (all.empty() || all.size() % 4 != 0 || padding > 2 || (padding == 2 && all.back() != '=') ||
        digits.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") !=
            std::string_view::npos)
        return std::nullopt;
    Bytes der(all.size() / 4 * 3);
    if (EVP_DecodeBlock(der.data(), all.data(), static_cast<int>(all.size())) != static_cast<int>(der.size()))
        return std::nullopt;
    der.resize(der.size() - padding);
    return Pem{label, Secret<Bytes>(std::move(der))};
}

constexpr std::array<const char*, 8> rsa_names{OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                               OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                               OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                               OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

/// A number on libcrypto's secure heap where it is secret and there is such a heap.
Number number(BytesView bytes, bool secret) {
    Number out(secret ? BN_secure_new() : BN_new());
    if (out && BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), out.get()) == nullptr) out.reset();
    return out;
}

EVP_PKEY* from_parameters(const char* type, const Builder& builder, int selection) {
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* out = nullptr;
    if (parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1)
        EVP_PKEY_fromdata(context.get(), &out, selection, parameters.get());
    return out;
}

}  // namespace

std::optional<PlainKey> PlainKey::find(BytesView pem_or_der) {
    if (!pem_or_der.empty() && pem_or_der[0] == 0x30 && pem_or_der.size() <= longest_pem)
        return from_der(Secret<Bytes>(to_bytes(pem_or_der)), {});
    auto pem = only_block(as_text(pem_or_der));
    return pem ? from_der(std::move(pem->der), pem->label) : std::nullopt;
}

/// `label`: of the PEM; empty when there was none, and the DER tells.
std::optional<PlainKey> PlainKey::from_der(Secret<Bytes> secret, std::string_view label) {
    PlainKey out;
    out.der_ = std::move(secret);
    const BytesView der = out.der_.reveal();
    for (const auto& form : forms) {
        if ((!label.empty() && label != form.label) || !is_of(der, form)) continue;
        out.type_ = form.type;
        out.has_private_half_ = form.private_length != 0;
        out.private_half_ = {form.before.size() / 2, form.private_length};
        out.public_half_ = {der.size() - form.public_length, form.public_length};
        return out;
    }

    constexpr std::string_view version = "020100";
    constexpr std::string_view rsa_algorithm = "300d06092a864886f70d0101010500";
    Cursor cursor(der);
    cursor.open_last(0x30);
    std::string_view found = "RSA PUBLIC KEY";
    if (cursor.is_next(rsa_algorithm)) {
        found = "PUBLIC KEY";
        cursor.skip(rsa_algorithm);
        cursor.open_last(0x03);
        cursor.skip("00");  // no unused bits
        cursor.open_last(0x30);
    } else if (cursor.is_next(version)) {
        found = "RSA PRIVATE KEY";
        cursor.skip(version);
        if (cursor.is_next(rsa_algorithm)) {
            found = "PRIVATE KEY";
            cursor.skip(rsa_algorithm);
            cursor.open_last(0x04);
            cursor.open_last(0x30);
            cursor.skip(version);
        }
    }
    if (!cursor.ok() || (!label.empty() && label != found)) return std::nullopt;
    out.has_private_half_ = found.ends_with("PRIVATE KEY");
    for (std::size_t i = 0; i < (out.has_private_half_ ? rsa_names.size() : 2U) && cursor.ok(); ++i) {
        const auto [offset, length] = cursor.positive();
        out.numbers_.push_back({offset, length});
    }
    if (!cursor.at_end()) return std::nullopt;
    const auto modulus = out.at(out.numbers_.front());
    if (modulus[0] < 0x80 || (modulus.size() != 2048 / 8 && modulus.size() != 3072 / 8)) return std::nullopt;
    out.type_ = modulus.size() == 2048 / 8 ? KeyType::rsa2048 : KeyType::rsa3072;
    return out;
}

evp_pkey_st* PlainKey::make_rsa() const {
    const Builder builder(OSSL_PARAM_BLD_new());
    std::array<Number, rsa_names.size()> values;  // the builder refers to them
    for (std::size_t i = 0; i < numbers_.size(); ++i) {
        values[i] = number(at(numbers_[i]), i >= 2);
        if (!builder || !values[i] || OSSL_PARAM_BLD_push_BN(builder.get(), rsa_names[i], values[i].get()) != 1)
            return nullptr;
    }
    return from_parameters("RSA", builder, has_private_half_ ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
}

evp_pkey_st* PlainKey::make_ec() const {
    const Builder builder(OSSL_PARAM_BLD_new());
    const auto point = at(public_half_);
    const auto secret = number(at(private_half_), true);
    if (!builder || !secret ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                        type_ == KeyType::ecdsa_p256 ? "prime256v1" : "secp384r1", 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()) != 1 ||
        (has_private_half_ && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get()) != 1))
        return nullptr;
    return from_parameters("EC", builder, has_private_half_ ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
}

evp_pkey_st* PlainKey::make() const {
    EVP_PKEY* out = nullptr;
    switch (type_) {
        case KeyType::rsa2048:
        case KeyType::rsa3072:
            out = make_rsa();
            break;
        case KeyType::ecdsa_p256:
        case KeyType::ecdsa_p384:
            out = make_ec();
            break;
        case KeyType::ed25519:
        case KeyType::x25519: {
            const char* name = type_ == KeyType::ed25519 ? "ED25519" : "X25519";
            const auto half = at(has_private_half_ ? private_half_ : public_half_);
            out = has_private_half_ ? EVP_PKEY_new_raw_private_key_ex(nullptr, name, nullptr, half.data(), half.size())
                                    : EVP_PKEY_new_raw_public_key_ex(nullptr, name, nullptr, half.data(), half.size());
            break;
        }
    }
    ERR_clear_error();
    return out;
}

}  // namespace fota::image
