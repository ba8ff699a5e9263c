#include "image/key.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "image/image.hpp"
#include "image/key_file.hpp"
#include "image/openssl_free.hpp"
#include "image/plain_key.hpp"

namespace fota::image {
namespace {

struct Names {
    KeyType type;
    std::string_view name;
    std::string_view word;
};

constexpr std::array<Names, 6> key_names{{
    {KeyType::rsa2048, "RSA-2048", "rsa-2048"},
    {KeyType::rsa3072, "RSA-3072", "rsa-3072"},
    {KeyType::ecdsa_p256, "ECDSA-P256", "ecdsa-p256"},
    {KeyType::ecdsa_p384, "ECDSA-P384", "ecdsa-p384"},
    {KeyType::ed25519, "Ed25519", "ed25519"},
    {KeyType::x25519, "X25519", "x25519"},
}};

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Decoder = std::unique_ptr<OSSL_DECODER_CTX, Free<OSSL_DECODER_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Pkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Free<PKCS8_PRIV_KEY_INFO_free>>;
using EncryptedPkcs8 = std::unique_ptr<X509_SIG, Free<X509_SIG_free>>;
using SharedKey = std::shared_ptr<EVP_PKEY>;

SharedKey own(EVP_PKEY* key) {
    return {key, EVP_PKEY_free};
}

/// 600,000 rounds of HMAC-SHA256: OWASP's figure for PBKDF2, about a quarter of a second.
constexpr int pbkdf2_rounds = 600'000;

Failure unusable(std::string message) {
    return fail(Errc::key_unusable, std::move(message));
}

/// libcrypto's reader of keys of any format. Finding out which formats there are takes it ten times as long as reading,
/// so that each thread keeps its readers.
class Reader {
  public:
    explicit Reader(int selection)
        : decoder_(OSSL_DECODER_CTX_new_for_pkey(&key_, nullptr, nullptr, nullptr, selection, nullptr, nullptr)) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;

    /// The first key in the bytes; nullptr when there is none.
    SharedKey read(BytesView bytes, const Passphrase* passphrase) {
        if (!decoder_ || bytes.empty() || bytes.size() > longest_key_file) return nullptr;
        const Bio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
        if (!bio) return nullptr;
        // Always set: without one libcrypto would ask on the terminal.
        static constexpr unsigned char none = 0;
        const bool given = passphrase != nullptr && !passphrase->empty();
        OSSL_DECODER_CTX_set_passphrase(
            decoder_.get(), given ? reinterpret_cast<const unsigned char*>(passphrase->reveal().data()) : &none,
            given ? passphrase->reveal().size() : 0);
        const bool decoded = OSSL_DECODER_from_bio(decoder_.get(), bio.get()) == 1;
        if (given) OSSL_DECODER_CTX_set_passphrase(decoder_.get(), &none, 0);
        ERR_clear_error();
        auto owned = own(std::exchange(key_, nullptr));
        return decoded ? owned : nullptr;
    }

  private:
    EVP_PKEY* key_ = nullptr;
    Decoder decoder_;
};

/// Whether libcrypto finds anything at all in the bytes. What asks for nothing in particular takes whatever a reader of
/// key pairs or of public keys does, and what is no key is then read once instead of four times.
bool holds_something(BytesView bytes) {
    thread_local Reader anything(0);
    return anything.read(bytes, nullptr) != nullptr;
}

using Number = std::unique_ptr<BIGNUM, Free<BN_clear_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;

/// An id-RSASSA-PSS key as the RSA key it is: what it says about hash and salt is MCUboot's to say. nullptr when
/// libcrypto cannot make one.
SharedKey without_restrictions(EVP_PKEY* key) {
    static constexpr std::array names{OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                      OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                      OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                      OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    const Builder builder(OSSL_PARAM_BLD_new());
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    std::vector<Number> numbers;  // the builder refers to them
    for (const auto* name : names) {
        BIGNUM* number = nullptr;
        if (EVP_PKEY_get_bn_param(key, name, &number) != 1) break;
        numbers.emplace_back(number);
        if (!builder || OSSL_PARAM_BLD_push_BN(builder.get(), name, number) != 1) return nullptr;
    }
    const Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    EVP_PKEY* out = nullptr;
    if (parameters && context && EVP_PKEY_fromdata_init(context.get()) == 1)
        EVP_PKEY_fromdata(context.get(), &out, numbers.size() > 2 ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY,
                          parameters.get());
    ERR_clear_error();
    return own(out);
}

/// `selection`: which half is wanted.
SharedKey decode(BytesView bytes, int selection, const Passphrase* passphrase) {
    thread_local Reader public_keys(EVP_PKEY_PUBLIC_KEY);
    thread_local Reader key_pairs(EVP_PKEY_KEYPAIR);
    auto key = (selection == EVP_PKEY_KEYPAIR ? key_pairs : public_keys).read(bytes, passphrase);
    if (key && EVP_PKEY_is_a(key.get(), "RSA-PSS") == 1) return without_restrictions(key.get());
    return key;
}

Result<KeyType> classify(EVP_PKEY* key) {
    if (EVP_PKEY_is_a(key, "RSA") == 1) {
        const int bits = EVP_PKEY_get_bits(key);
        if (bits == 2048) return KeyType::rsa2048;
        if (bits == 3072) return KeyType::rsa3072;
        return unusable(fmt::format("expected an RSA key of 2048 or 3072 bits, found {}", bits));
    }
    if (EVP_PKEY_is_a(key, "EC") == 1) {
        std::array<char, 64> group{};
        std::size_t length = 0;
        if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) != 1) group[0] = '\0';
        const std::string_view curve(group.data());
        if (curve == "prime256v1") return KeyType::ecdsa_p256;
        if (curve == "secp384r1") return KeyType::ecdsa_p384;
        return unusable(fmt::format("expected a key on the curve P-256 or P-384, found {}",
                                    curve.empty() ? "a curve without a name" : curve));
    }
    if (EVP_PKEY_is_a(key, "ED25519") == 1) return KeyType::ed25519;
    if (EVP_PKEY_is_a(key, "X25519") == 1) return KeyType::x25519;
    const char* name = EVP_PKEY_get0_type_name(key);
    return unusable(
        fmt::format("expected an RSA, ECDSA, Ed25519 or X25519 key, found {}", name == nullptr ? "another" : name));
}

/// Runs one of libcrypto's i2d functions.
Bytes to_der(const EVP_PKEY* key, int (*encode)(const EVP_PKEY*, unsigned char**)) {
    const int length = encode(key, nullptr);
    if (length <= 0) return {};
    Bytes out(static_cast<std::size_t>(length));
    auto* cursor = out.data();
    return encode(key, &cursor) == length ? out : Bytes{};
}

bool has_private_half(EVP_PKEY* key) {
    const bool rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    bool out = false;
    if (rsa || EVP_PKEY_is_a(key, "EC") == 1) {
        BIGNUM* number = nullptr;
        out = EVP_PKEY_get_bn_param(key, rsa ? OSSL_PKEY_PARAM_RSA_D : OSSL_PKEY_PARAM_PRIV_KEY, &number) == 1;
        BN_clear_free(number);
    } else {
        std::size_t length = 0;  // alone
        out = EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PRIV_KEY, nullptr, 0, &length) == 1 && length != 0;
    }
    ERR_clear_error();
    return out;
}

/// A candidate that is no encrypted key, and `plain` where it is in a usual encoding; nullptr where it is no key at
/// all.
SharedKey read_open(const std::optional<PlainKey>& plain, BytesView candidate, int selection) {
    if (plain)
        if (auto key = own(plain->make())) return key;
    return decode(candidate, selection, nullptr);
}

/// A key object without the private half; nullptr when libcrypto cannot make one.
SharedKey public_half(EVP_PKEY* key) {
    OSSL_PARAM* parameters = nullptr;
    EVP_PKEY* out = nullptr;
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    if (context && EVP_PKEY_todata(key, EVP_PKEY_PUBLIC_KEY, &parameters) == 1 &&
        EVP_PKEY_fromdata_init(context.get()) == 1)
        EVP_PKEY_fromdata(context.get(), &out, EVP_PKEY_PUBLIC_KEY, parameters);
    OSSL_PARAM_free(parameters);
    return own(out);
}

/// SubjectPublicKeyInfo up to the bits of the key, which end it. For these types they are all there is to encode, and
/// libcrypto's encoder takes thirty times as long.
struct Prefix {
    KeyType type;
    std::string_view hex;
};
constexpr std::array<Prefix, 4> prefixes{{
    {KeyType::ecdsa_p256, "3059301306072a8648ce3d020106082a8648ce3d030107034200"},
    {KeyType::ecdsa_p384, "3076301006072a8648ce3d020106052b81040022036200"},
    {KeyType::ed25519, "302a300506032b6570032100"},
    {KeyType::x25519, "302a300506032b656e032100"},
}};

/// As a bootloader embeds it; empty when the key is not complete.
Bytes encode(EVP_PKEY* key, KeyType type) {
    const auto prefix = std::ranges::find(prefixes, type, &Prefix::type);
    if (prefix == prefixes.end()) return to_der(key, i2d_PublicKey);
    Bytes bits(128);
    std::size_t length = 0;
    if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bits.data(), bits.size(), &length) != 1)
        return {};
    bits.resize(length);
    auto out = from_hex(prefix->hex).value_or(Bytes{});
    append(out, bits);
    // The second byte is the length of all that follows it.
    return out.size() == out[1] + 2U ? out : Bytes{};
}

std::string bio_text(BIO* bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return length > 0 ? std::string(data, static_cast<std::size_t>(length)) : std::string{};
}

/// MCUboot's published keys (repository root, root-*.pem), by the hash of what a bootloader embeds: with SHA-256, and
/// with the other hash that images signed by them carry.
struct Published {
    std::string_view name;
    std::string_view hash;
};
constexpr std::array<Published, 12> published{{
    {"root-rsa-2048", "fc5701dc6135e1323847bdc40f04d2e5bee5833b23c29f93593d00018cfa9994"},
    {"root-rsa-3072", "449793fb65cd7698753d5b3f35fab15f1e3a45111ff24e1d46741de5ae12d59e"},
    {"root-ec-p256", "e30466f6b8470c1f29070b17f1e2d3e94d445e3f608087fdc711e4382bb538b6"},
    {"root-ec-p384", "6bcd1e16d80e5fe13a5307e6f1de8344c7e50e537d9962ce35ef6db5e642fae8"},
    {"root-ec-p384",
     "85b7bd5f5dff9a03a99927adaf6ca6febde822c1a480928324a8e60323715c5779461c496a95aee8c4f90b99779f848a"},
    {"root-ed25519", "c1907fa4eac7fae3840a78902b6f0710b037e9968e5c6274a12a28790c7d4e3c"},
    {"root-ed25519",
     "e3e129b49f1218e18e4614acb2523389c75852ebb98b4d2c6171a2fc65706ba3d1ddf85f52e71450c3e572e624695fafd41ce4d9354d6c2b1"
     "9f7d600"
     "1a6ae8b0"},
    {"root-ed25519-2", "6754edab1e29affef4a05935adecbeb1a7b8b62397b31e39a61b5bfcaafd63af"},
    {"root-ed25519-unknown", "b1d87d60173352b9a4808979790fc699fb4c4f83b49cf1970edd96ff4adc36a6"},
    {"enc-rsa2048", "5ac4d62dc5efbed57e705f61b5f2df8e2b73ec5a573c1582144e38131f4c62d7"},
    {"enc-ec256", "3c23fc4e1d332a0c86e6a8bf6ecf26046d702302e135bf53fc04a009a33a78c5"},
    {"enc-x25519", "9a1dc1eb80199d8498f2a75dde0a7b75216e8302bf3a12bd04f153f48f3f24a0"},
}};

}  // namespace

std::string_view key_type_name(KeyType type) noexcept {
    return std::ranges::find(key_names, type, &Names::type)->name;
}
std::string_view key_type_word(KeyType type) noexcept {
    return std::ranges::find(key_names, type, &Names::type)->word;
}

std::optional<KeyType> key_type_from_word(std::string_view word) noexcept {
    const auto it = std::ranges::find(key_names, word, &Names::word);
    return it == key_names.end() ? std::nullopt : std::optional(it->type);
}

std::uint16_t signature_tlv(KeyType type) noexcept {
    switch (type) {
        case KeyType::rsa2048:
            return tlv::rsa2048;
        case KeyType::rsa3072:
            return tlv::rsa3072;
        case KeyType::ecdsa_p256:
        case KeyType::ecdsa_p384:
            return tlv::ecdsa;
        case KeyType::ed25519:
            return tlv::ed25519;
        case KeyType::x25519:
            return 0;
    }
    return 0;
}

HashType default_hash(KeyType type) noexcept {
    return type == KeyType::ecdsa_p384 ? HashType::sha384 : HashType::sha256;
}

bool allows_hash(KeyType type, HashType hash) noexcept {
    return hash == default_hash(type) || (type == KeyType::ed25519 && hash == HashType::sha512);
}

Result<PublicKey> PublicKey::from_evp(EVP_PKEY* key) {
    PublicKey out;
    TRY(out.type_, classify(key));
    // MCUboot reads uncompressed points only, whatever the file held.
    if (EVP_PKEY_is_a(key, "EC") == 1)
        EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT, "uncompressed");
    out.key_ = public_half(key);
    if (out.key_) out.encoded_ = encode(out.key_.get(), out.type_);
    ERR_clear_error();
    if (out.encoded_.empty()) return unusable("expected a complete public key, found one that cannot be encoded");
    return out;
}

Result<PublicKey> PublicKey::parse(BytesView pem_or_der) {
    bool sealed = false;
    for (const auto candidate : key_candidates(pem_or_der)) {
        const auto plain = PlainKey::find(candidate);
        if (!plain && is_sealed(candidate)) {
            sealed = true;
            continue;
        }
        if (!plain && !holds_something(candidate)) continue;
        auto key = read_open(plain, candidate, EVP_PKEY_PUBLIC_KEY);
        if (!key) key = decode(candidate, EVP_PKEY_KEYPAIR, nullptr);
        if (key) return from_evp(key.get());
    }
    if (sealed)
        return unusable("expected a public key, found an encrypted private key: write its public half to a file first");
    if (as_text(pem_or_der).find("PRIVATE KEY-----") != std::string_view::npos)
        return unusable("expected a public key in PEM or DER, found a private key that cannot be read");
    return unusable("expected a public key in PEM or DER, found neither");
}

std::string PublicKey::pem() const {
    const Bio bio(BIO_new(BIO_s_mem()));
    if (!bio || PEM_write_bio_PUBKEY(bio.get(), key_.get()) != 1) return {};
    return bio_text(bio.get());
}

Result<PrivateKey> PrivateKey::generate(KeyType type) {
    PrivateKey out;
    switch (type) {
        case KeyType::rsa2048:
            out.key_ = own(EVP_RSA_gen(2048));
            break;
        case KeyType::rsa3072:
            out.key_ = own(EVP_RSA_gen(3072));
            break;
        case KeyType::ecdsa_p256:
            out.key_ = own(EVP_EC_gen("P-256"));
            break;
        case KeyType::ecdsa_p384:
            out.key_ = own(EVP_EC_gen("P-384"));
            break;
        case KeyType::ed25519:
            out.key_ = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
            break;
        case KeyType::x25519:
            out.key_ = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
            break;
    }
    if (!out.key_) return unusable(fmt::format("expected libcrypto to make an {} key, it failed", key_type_name(type)));
    TRY(out.public_, PublicKey::from_evp(out.key_.get()));
    return out;
}

Result<PrivateKey> PrivateKey::parse(BytesView pem_or_der, const Passphrase* passphrase) {
    PrivateKey out;
    const auto take = [&out](SharedKey key) -> Result<PrivateKey> {
        TRY(out.public_, PublicKey::from_evp(key.get()));
        out.key_ = std::move(key);
        return std::move(out);
    };
    bool public_half = false;
    for (const auto candidate : key_candidates(pem_or_der)) {
        const auto plain = PlainKey::find(candidate);
        if (!plain && is_sealed(candidate)) {
            if (passphrase == nullptr)
                return fail(Errc::credentials_unusable,
                            "expected a passphrase for the encrypted private key, found none");
            TRY_VOID(check_derivation_cost(candidate));
            if (auto key = decode(candidate, EVP_PKEY_KEYPAIR, passphrase)) return take(std::move(key));
            return fail(Errc::credentials_unusable,
                        "expected the passphrase of the encrypted private key, found another");
        }
        if (!plain && !holds_something(candidate)) continue;
        // The decoder also hands out public keys where that is all there is.
        auto key = read_open(plain, candidate, EVP_PKEY_KEYPAIR);
        if (key && has_private_half(key.get())) return take(std::move(key));
        public_half = public_half || key || decode(candidate, EVP_PKEY_PUBLIC_KEY, nullptr);
    }
    if (!public_half) return unusable("expected a private key in PEM or DER, found neither");
    // What is wrong with the public key is said of it, too.
    TRY_VOID(PublicKey::parse(pem_or_der));
    return unusable("expected a private key, found a public key");
}

Result<Secret<std::string>> PrivateKey::pem(const Passphrase* passphrase) const {
    // Secure memory: BIO_s_secmem wipes its buffer when it is freed.
    const Bio bio(BIO_new(BIO_s_secmem()));
    const Pkcs8 plain(EVP_PKEY2PKCS8(key_.get()));
    bool written = false;
    if (bio && plain && passphrase == nullptr) {
        written = PEM_write_bio_PKCS8_PRIV_KEY_INFO(bio.get(), plain.get()) == 1;
    } else if (bio && plain) {
        X509_ALGOR* scheme =
            PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), pbkdf2_rounds, nullptr, 16, nullptr, NID_hmacWithSHA256);
        const auto& secret = passphrase->reveal();
        const EncryptedPkcs8 sealed(
            scheme == nullptr ? nullptr
                              : PKCS8_set0_pbe(secret.data(), static_cast<int>(secret.size()), plain.get(), scheme));
        if (scheme != nullptr && !sealed) X509_ALGOR_free(scheme);
        written = sealed && PEM_write_bio_PKCS8(bio.get(), sealed.get()) == 1;
    }
    ERR_clear_error();
    if (!written) return unusable("expected libcrypto to encode the private key, it failed");
    return Secret<std::string>(bio_text(bio.get()));
}

bool is_encrypted_key(BytesView pem_or_der) {
    for (const auto candidate : key_candidates(pem_or_der)) {
        const auto plain = PlainKey::find(candidate);
        if (plain && plain->has_private_half()) return false;
        if (plain) continue;
        if (is_sealed(candidate)) return true;
        if (!holds_something(candidate)) continue;
        const auto key = decode(candidate, EVP_PKEY_KEYPAIR, nullptr);
        if (key && has_private_half(key.get())) return false;
    }
    return false;
}

std::string_view development_key_name(BytesView key_hash) noexcept {
    const auto hex = to_hex(key_hash);
    const auto it = std::ranges::find(published, std::string_view(hex), &Published::hash);
    return it == published.end() ? std::string_view{} : it->name;
}

}  // namespace fota::image
