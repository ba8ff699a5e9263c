#include "adapters/pkcs11_token.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace fota::adapters {
namespace {

/// p11-kit's module stands for all that the system has configured.
constexpr const char* system_module = "p11-kit-proxy.so";
constexpr std::size_t longest_attribute = 64 * 1024;
constexpr std::size_t longest_signature = 512;

template <auto function>
struct Free {
    void operator()(auto* pointer) const noexcept { function(pointer); }
};
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Free<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Free<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;

Failure unusable(std::string message) {
    return fail(
        Error(Errc::key_unusable, std::move(message)).with("hint", "what is on the token: pkcs11-tool --module M -O"));
}

/// A text of fixed length, padded with blanks, as PKCS#11 has it.
template <std::size_t size>
std::string padded(const unsigned char (&text)[size]) {
    std::string out(reinterpret_cast<const char*>(text), size);
    while (!out.empty() && (out.back() == ' ' || out.back() == '\0')) out.pop_back();
    return out;
}

bool fits(const std::optional<std::string>& wanted, const std::string& found) {
    return !wanted || *wanted == found;
}

/// C_Initialize and C_Finalize are the process's: what one session ends, it ends for all others of that module. So each
/// module is counted, and only the last session ends it; not where somebody else in the process had begun it.
class Modules {
  public:
    static CK_RV begin(CK_FUNCTION_LIST* functions) {
        const std::scoped_lock guard(lock());
        auto& use = uses()[functions];
        if (use.sessions > 0) {
            ++use.sessions;
            return CKR_OK;
        }
        CK_C_INITIALIZE_ARGS threads{};
        threads.flags = CKF_OS_LOCKING_OK;
        const auto answer = functions->C_Initialize(&threads);
        if (answer != CKR_OK && answer != CKR_CRYPTOKI_ALREADY_INITIALIZED) return answer;
        use = {1, answer == CKR_OK};
        return CKR_OK;
    }
    static void end(CK_FUNCTION_LIST* functions) {
        const std::scoped_lock guard(lock());
        auto& use = uses()[functions];
        if (--use.sessions == 0 && use.ours) functions->C_Finalize(nullptr);
    }

  private:
    struct Use {
        std::size_t sessions = 0;
        bool ours = false;
    };
    static std::mutex& lock() {
        static std::mutex out;
        return out;
    }
    static std::map<CK_FUNCTION_LIST*, Use>& uses() {
        static std::map<CK_FUNCTION_LIST*, Use> out;
        return out;
    }
};

/// Begun; whoever is given it calls Modules::end().
Result<CK_FUNCTION_LIST*> load_module(const std::string& path) {
    const auto missing = [&](const std::string& found) {
        return fail(Error(Errc::file_unreadable,
                          fmt::format("expected the PKCS#11 module {}, found {}", printable(path), found))
                        .with("hint",
                              "name the token's module with module-path in the URI's query: "
                              "'pkcs11:token=T;object=K?module-path=/usr/lib/softhsm/libsofthsm2.so'"));
    };
    // Never unloaded: modules leave handlers and threads behind.
    void* module = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (module == nullptr) {
        std::error_code ignored;
        return missing(std::filesystem::exists(path, ignored) ? "a file that cannot be loaded" : "none");
    }
    const auto entry = reinterpret_cast<CK_C_GetFunctionList>(dlsym(module, "C_GetFunctionList"));
    CK_FUNCTION_LIST* functions = nullptr;
    if (entry == nullptr || entry(&functions) != CKR_OK || functions == nullptr)
        return missing("a library which is no PKCS#11 module");
    if (const auto answer = Modules::begin(functions); answer != CKR_OK)
        return missing(fmt::format("one that does not start (0x{:x})", answer));
    return functions;
}

/// SubjectPublicKeyInfo of a key on a named curve, up to its point (RFC 5480, RFC 8410).
struct Curve {
    BytesView parameters;  ///< CKA_EC_PARAMS
    std::size_t point = 0;
    BytesView prefix;
};
constexpr std::uint8_t p256_oid[]{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
constexpr std::uint8_t p256_prefix[]{0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
                                     0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
constexpr std::uint8_t p384_oid[]{0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};
constexpr std::uint8_t p384_prefix[]{0x30, 0x76, 0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02,
                                     0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22, 0x03, 0x62, 0x00};
constexpr std::uint8_t ed25519_oid[]{0x06, 0x03, 0x2b, 0x65, 0x70};
// PrintableString "edwards25519", as PKCS#11 3.0 has it.
constexpr std::uint8_t ed25519_name[]{0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9'};
constexpr std::uint8_t ed25519_prefix[]{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
constexpr Curve curves[] = {
    {p256_oid, 65, p256_prefix},
    {p384_oid, 97, p384_prefix},
    {ed25519_oid, 32, ed25519_prefix},
    {ed25519_name, 32, ed25519_prefix},
};

Result<image::PublicKey> ec_public_key(BytesView parameters, BytesView point) {
    const auto* curve =
        std::ranges::find_if(curves, [&](const auto& each) { return std::ranges::equal(each.parameters, parameters); });
    if (curve == std::end(curves))
        return unusable("expected a key on the curve P-256, P-384 or Ed25519's, found another on the token");
    // An OCTET STRING around the point, which some tokens leave out.
    if (point.size() == curve->point + 2 && point[0] == 0x04 && point[1] == curve->point) point = point.subspan(2);
    if (point.size() != curve->point)
        return unusable(
            fmt::format("expected a public point of {} bytes on the token, found {}", curve->point, point.size()));
    Bytes der = to_bytes(curve->prefix);
    append(der, point);
    return image::PublicKey::parse(der);
}

Result<image::PublicKey> from_libcrypto(EVP_PKEY* key) {
    Bytes der(static_cast<std::size_t>(std::max(0, key == nullptr ? 0 : i2d_PUBKEY(key, nullptr))));
    auto* cursor = der.data();
    if (!der.empty()) i2d_PUBKEY(key, &cursor);
    ERR_clear_error();
    if (der.empty()) return unusable("expected a public key on the token, found one that cannot be encoded");
    return image::PublicKey::parse(der);
}

Result<image::PublicKey> rsa_public_key(BytesView modulus, BytesView exponent) {
    const Number n(BN_bin2bn(modulus.data(), static_cast<int>(modulus.size()), nullptr));
    const Number e(BN_bin2bn(exponent.data(), static_cast<int>(exponent.size()), nullptr));
    const Builder builder(OSSL_PARAM_BLD_new());
    const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
    EVP_PKEY* key = nullptr;
    if (n && e && builder && context && OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1) {
        const Params params(OSSL_PARAM_BLD_to_param(builder.get()));
        if (params && EVP_PKEY_fromdata_init(context.get()) == 1)
            EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get());
    }
    return from_libcrypto(Key(key).get());
}

/// Tokens give r and s one after the other; an image has them as DER.
Result<Bytes> ecdsa_der(BytesView raw) {
    const auto half = raw.size() / 2;
    Number r(BN_bin2bn(raw.data(), static_cast<int>(half), nullptr));
    Number s(BN_bin2bn(raw.data() + half, static_cast<int>(half), nullptr));
    const EcSignature signature(ECDSA_SIG_new());
    if (raw.size() % 2 != 0 || !r || !s || !signature || ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1)
        return unusable("expected an ECDSA signature from the token, found another answer");
    (void)r.release();  // the signature's now
    (void)s.release();
    Bytes out(static_cast<std::size_t>(std::max(0, i2d_ECDSA_SIG(signature.get(), nullptr))));
    auto* cursor = out.data();
    i2d_ECDSA_SIG(signature.get(), &cursor);
    return out;
}

CK_RSA_PKCS_PSS_PARAMS pss_parameters(image::HashType hash) {
    constexpr unsigned long salt = 32;  // MCUboot accepts no other
    if (hash == image::HashType::sha384) return {CKM_SHA384, CKG_MGF1_SHA384, salt};
    if (hash == image::HashType::sha512) return {CKM_SHA512, CKG_MGF1_SHA512, salt};
    return {CKM_SHA256, CKG_MGF1_SHA256, salt};
}

}  // namespace

class Pkcs11Token::Session {
  public:
    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
        if (functions_ == nullptr) return;
        if (open_) functions_->C_CloseSession(session_);
        Modules::end(functions_);
    }

    Result<> open(const Pkcs11Uri& uri, const image::Passphrase* pin, Need need);
    Result<Bytes> sign(const image::SignRequest& request);

    const image::PublicKey& public_key() const { return *public_key_; }
    bool has_private_half() const { return private_half_; }

  private:
    using Objects = std::vector<CK_OBJECT_HANDLE>;

    Result<CK_SLOT_ID> find_token(const Pkcs11Uri& uri);
    Result<> log_in(const image::Passphrase* pin, Need need);
    Result<> find_key(const Pkcs11Uri& uri, Need need);
    Result<image::PublicKey> find_public_half(bool rsa);
    Result<image::PublicKey> read_public(CK_OBJECT_HANDLE object, bool rsa) const;
    /// Of a class, with this label and id where they are given; at most a few.
    Result<Objects> find(CK_OBJECT_CLASS kind, const std::optional<std::string>& label,
                         const std::optional<Bytes>& id) const;
    /// Empty when the object has no such attribute or does not show it.
    Bytes attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const;
    Result<> check_login(CK_RV answer) const;
    Failure refused(const char* doing, CK_RV answer) const;

    CK_FUNCTION_LIST* functions_ = nullptr;
    CK_SESSION_HANDLE session_ = 0;
    bool open_ = false;
    CK_FLAGS token_flags_ = 0;
    CK_OBJECT_HANDLE key_ = 0;
    bool private_half_ = false;
    std::string token_;  ///< label, for messages
    std::string label_;  ///< of the key
    Bytes id_;           ///< of the key
    std::optional<image::PublicKey> public_key_;
};

Failure Pkcs11Token::Session::refused(const char* doing, CK_RV answer) const {
    return unusable(
        fmt::format("expected the token \"{}\" to {}, found PKCS#11 error 0x{:x}", printable(token_), doing, answer));
}

Result<CK_SLOT_ID> Pkcs11Token::Session::find_token(const Pkcs11Uri& uri) {
    CK_ULONG count = 0;
    auto answer = functions_->C_GetSlotList(CK_TRUE, nullptr, &count);
    std::vector<CK_SLOT_ID> slots(std::min<CK_ULONG>(count, 1024));
    count = slots.size();
    if (answer == CKR_OK && count != 0) answer = functions_->C_GetSlotList(CK_TRUE, slots.data(), &count);
    if (answer != CKR_OK) return refused("be listed", answer);
    slots.resize(std::min<std::size_t>(count, slots.size()));

    std::vector<CK_SLOT_ID> found;
    for (const auto slot : slots) {
        CK_TOKEN_INFO token{};
        CK_SLOT_INFO about{};
        if (functions_->C_GetTokenInfo(slot, &token) != CKR_OK || functions_->C_GetSlotInfo(slot, &about) != CKR_OK ||
            (token.flags & CKF_TOKEN_INITIALIZED) == 0)
            continue;
        if (!fits(uri.token, padded(token.label)) || !fits(uri.manufacturer, padded(token.manufacturerID)) ||
            !fits(uri.model, padded(token.model)) || !fits(uri.serial, padded(token.serialNumber)) ||
            !fits(uri.slot_description, padded(about.slotDescription)) ||
            !fits(uri.slot_manufacturer, padded(about.manufacturerID)) || (uri.slot_id && *uri.slot_id != slot))
            continue;
        found.push_back(slot);
        token_ = padded(token.label);
        token_flags_ = token.flags;
    }
    if (found.size() == 1) return found.front();
    if (found.empty())
        return unusable(
            fmt::format("expected a token that fits the pkcs11: URI, found none among {} present", slots.size()));
    return unusable(fmt::format("expected one token that fits the pkcs11: URI, found {}: name it by token or serial",
                                found.size()));
}

Result<> Pkcs11Token::Session::check_login(CK_RV answer) const {
    const auto wrong = [&](const char* found) {
        return fail(Errc::credentials_unusable,
                    fmt::format("expected the PIN of the token \"{}\", found {}", printable(token_), found));
    };
    switch (answer) {
        case CKR_OK:
        case CKR_USER_ALREADY_LOGGED_IN:
            return {};
        case CKR_PIN_INCORRECT:
        case CKR_PIN_INVALID:
        case CKR_PIN_LEN_RANGE:
            return wrong("another");
        case CKR_PIN_LOCKED:
            return wrong("that it is locked after too many wrong ones");
        case CKR_PIN_EXPIRED:
            return wrong("an expired one");
        case CKR_USER_PIN_NOT_INITIALIZED:
            return wrong("that none has been set");
        default:
            return fail(Errc::credentials_unusable,
                        fmt::format("expected the token \"{}\" to accept the login, found PKCS#11 error 0x{:x}",
                                    printable(token_), answer));
    }
}

Result<> Pkcs11Token::Session::log_in(const image::Passphrase* pin, Need need) {
    const bool own_keypad = (token_flags_ & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
    if (pin == nullptr && !own_keypad) {
        if (need == Need::public_half || (token_flags_ & CKF_LOGIN_REQUIRED) == 0) return {};
        return fail(
            Error(Errc::usage, fmt::format("expected the PIN of the token \"{}\", found none", printable(token_)))
                .with("pin", "missing")
                .with("hint",
                      "put the PIN into a file of mode 0600 and name it with --passphrase-file, or with "
                      "pin-source in the URI"));
    }
    if (pin == nullptr && need == Need::public_half) return {};
    auto* text = pin == nullptr ? nullptr : reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin->reveal().data()));
    return check_login(functions_->C_Login(session_, CKU_USER, text,
                                           pin == nullptr ? 0 : static_cast<CK_ULONG>(pin->reveal().size())));
}

Bytes Pkcs11Token::Session::attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    CK_ATTRIBUTE wanted{type, nullptr, 0};
    if (functions_->C_GetAttributeValue(session_, object, &wanted, 1) != CKR_OK || wanted.ulValueLen == 0 ||
        wanted.ulValueLen > longest_attribute)
        return {};
    Bytes out(wanted.ulValueLen);
    wanted.pValue = out.data();
    if (functions_->C_GetAttributeValue(session_, object, &wanted, 1) != CKR_OK || wanted.ulValueLen > out.size())
        return {};
    out.resize(wanted.ulValueLen);
    return out;
}

Result<Pkcs11Token::Session::Objects> Pkcs11Token::Session::find(CK_OBJECT_CLASS kind,
                                                                 const std::optional<std::string>& label,
                                                                 const std::optional<Bytes>& id) const {
    std::vector<CK_ATTRIBUTE> wanted{{CKA_CLASS, &kind, sizeof kind}};
    if (label) wanted.push_back({CKA_LABEL, const_cast<char*>(label->data()), static_cast<CK_ULONG>(label->size())});
    if (id) wanted.push_back({CKA_ID, const_cast<std::uint8_t*>(id->data()), static_cast<CK_ULONG>(id->size())});
    auto answer = functions_->C_FindObjectsInit(session_, wanted.data(), static_cast<CK_ULONG>(wanted.size()));
    if (answer != CKR_OK) return refused("search its objects", answer);
    Objects out(64);
    CK_ULONG count = 0;
    answer = functions_->C_FindObjects(session_, out.data(), static_cast<CK_ULONG>(out.size()), &count);
    functions_->C_FindObjectsFinal(session_);
    if (answer != CKR_OK) return refused("search its objects", answer);
    out.resize(std::min<std::size_t>(count, out.size()));
    return out;
}

Result<image::PublicKey> Pkcs11Token::Session::read_public(CK_OBJECT_HANDLE object, bool rsa) const {
    if (rsa) return rsa_public_key(attribute(object, CKA_MODULUS), attribute(object, CKA_PUBLIC_EXPONENT));
    return ec_public_key(attribute(object, CKA_EC_PARAMS), attribute(object, CKA_EC_POINT));
}

/// The public key or the certificate beside the private key; both carry its id, or its label where it has no id.
Result<image::PublicKey> Pkcs11Token::Session::find_public_half(bool rsa) {
    const auto id = id_.empty() ? std::nullopt : std::optional(id_);
    const auto label = id_.empty() ? std::optional(label_) : std::nullopt;
    TRY(const auto keys, find(CKO_PUBLIC_KEY, label, id));
    if (keys.size() > 1)
        return unusable(
            fmt::format("expected one public key beside the private one on the token, found {}", keys.size()));
    if (keys.size() == 1) return read_public(keys.front(), rsa);
    TRY(const auto certificates, find(CKO_CERTIFICATE, label, id));
    for (const auto each : certificates) {
        const auto der = attribute(each, CKA_VALUE);
        const auto* cursor = der.data();
        const Certificate certificate(d2i_X509(nullptr, &cursor, static_cast<long>(der.size())));
        if (certificate) return from_libcrypto(X509_get0_pubkey(certificate.get()));
    }
    ERR_clear_error();
    if (rsa && !attribute(key_, CKA_PUBLIC_EXPONENT).empty()) return read_public(key_, rsa);
    return unusable("expected a public key or a certificate beside the private key on the token, found neither");
}

Result<> Pkcs11Token::Session::find_key(const Pkcs11Uri& uri, Need need) {
    TRY(auto keys, find(CKO_PRIVATE_KEY, uri.object, uri.id));
    const bool private_half = !keys.empty() || need == Need::private_half;
    if (!private_half) {
        TRY(keys, find(CKO_PUBLIC_KEY, uri.object, uri.id));
    }
    const auto* half = private_half ? "private key" : "key";
    if (keys.empty())
        return unusable(fmt::format("expected a {} that fits the pkcs11: URI on the token \"{}\", found none", half,
                                    printable(token_)));
    if (keys.size() > 1)
        return unusable(
            fmt::format("expected one {} that fits the pkcs11: URI on the token \"{}\", found {}: name it by "
                        "object or id",
                        half, printable(token_), keys.size()));
    key_ = keys.front();
    private_half_ = private_half;
    id_ = attribute(key_, CKA_ID);
    label_ = as_text(attribute(key_, CKA_LABEL));
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE wanted{CKA_KEY_TYPE, &type, sizeof type};
    if (const auto answer = functions_->C_GetAttributeValue(session_, key_, &wanted, 1); answer != CKR_OK)
        return refused("tell the type of the key", answer);
    if (type != CKK_RSA && type != CKK_EC && type != CKK_EC_EDWARDS)
        return unusable(fmt::format("expected an RSA, ECDSA or Ed25519 key on the token, found type 0x{:x}", type));
    TRY(public_key_, private_half ? find_public_half(type == CKK_RSA) : read_public(key_, type == CKK_RSA));
    return {};
}

Result<> Pkcs11Token::Session::open(const Pkcs11Uri& uri, const image::Passphrase* pin, Need need) {
    TRY(functions_, load_module(uri.module_path.empty() ? system_module : uri.module_path));
    TRY(const auto slot, find_token(uri));
    const auto answer = functions_->C_OpenSession(slot, CKF_SERIAL_SESSION, nullptr, nullptr, &session_);
    if (answer != CKR_OK) return refused("open a session", answer);
    open_ = true;
    TRY_VOID(log_in(pin, need));
    return find_key(uri, need);
}

Result<Bytes> Pkcs11Token::Session::sign(const image::SignRequest& request) {
    auto pss = pss_parameters(request.hash);
    CK_MECHANISM mechanism{CKM_ECDSA, nullptr, 0};
    auto message = request.digest;
    const auto type = public_key_->type();
    const bool ecdsa = type == image::KeyType::ecdsa_p256 || type == image::KeyType::ecdsa_p384;
    if (type == image::KeyType::ed25519) {
        mechanism.mechanism = CKM_EDDSA;
        if (request.pure) message = request.region;
    } else if (!ecdsa) {
        mechanism = {CKM_RSA_PKCS_PSS, &pss, sizeof pss};
    }
    auto answer = functions_->C_SignInit(session_, &mechanism, key_);
    if (answer != CKR_OK) return refused("sign", answer);
    Bytes out(longest_signature);
    CK_ULONG length = static_cast<CK_ULONG>(out.size());
    answer = functions_->C_Sign(session_, const_cast<std::uint8_t*>(message.data()),
                                static_cast<CK_ULONG>(message.size()), out.data(), &length);
    if (answer != CKR_OK) return refused("sign", answer);
    out.resize(std::min<std::size_t>(length, out.size()));
    if (ecdsa) return ecdsa_der(out);
    return out;
}

Pkcs11Token::Pkcs11Token(std::unique_ptr<Session> session) : session_(std::move(session)) {}
Pkcs11Token::Pkcs11Token(Pkcs11Token&&) noexcept = default;
Pkcs11Token& Pkcs11Token::operator=(Pkcs11Token&&) noexcept = default;
Pkcs11Token::~Pkcs11Token() = default;

Result<Pkcs11Token> Pkcs11Token::open(const Pkcs11Uri& uri, const image::Passphrase* pin, Need need) {
    auto session = std::make_unique<Session>();
    TRY_VOID(session->open(uri, pin, need));
    return Pkcs11Token(std::move(session));
}

const image::PublicKey& Pkcs11Token::public_key() const {
    return session_->public_key();
}
bool Pkcs11Token::has_private_half() const {
    return session_->has_private_half();
}
Result<Bytes> Pkcs11Token::sign(const image::SignRequest& request) {
    return session_->sign(request);
}

}  // namespace fota::adapters
