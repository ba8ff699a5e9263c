#include "image/key_file.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "image/openssl_free.hpp"

namespace fota::image {
namespace {

using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using EncryptedPkcs8 = std::unique_ptr<X509_SIG, Free<X509_SIG_free>>;

/// Some two seconds' worth. OpenSSL writes 2,048, this program 600,000.
constexpr std::uint64_t most_rounds = 5'000'000;

/// Calls `visit` with an EncryptedPrivateKeyInfo in DER, and with each one in PEM under whatever label; the content
/// decides for libcrypto, too.
template <class Visit>
void each_sealed(BytesView bytes, const Visit& visit) {
    if (bytes.empty() || bytes.size() > longest_key_file) return;
    const auto look = [&](const unsigned char* data, long size) {
        const EncryptedPkcs8 sealed(d2i_X509_SIG(nullptr, &data, size));
        if (sealed) visit(*sealed);
    };
    look(bytes.data(), static_cast<long>(bytes.size()));
    if (as_text(bytes).find("-----BEGIN ") != std::string_view::npos) {
        const Bio bio(BIO_new_mem_buf(bytes.data(), static_cast<int>(bytes.size())));
        char* label = nullptr;
        char* header = nullptr;
        unsigned char* data = nullptr;
        long size = 0;
        while (bio && PEM_read_bio(bio.get(), &label, &header, &data, &size) == 1) {
            look(data, size);
            OPENSSL_free(label);
            OPENSSL_free(header);
            OPENSSL_clear_free(data, static_cast<std::size_t>(size));
        }
    }
    ERR_clear_error();
}

template <class Parameters>
std::unique_ptr<Parameters, void (*)(Parameters*)> unpacked(const ASN1_TYPE* packed, const ASN1_ITEM* item,
                                                            void (*release)(Parameters*)) {
    auto* out = packed == nullptr ? nullptr : ASN1_TYPE_unpack_sequence(item, packed);
    return {static_cast<Parameters*>(out), release};
}

/// As a number; what is no number of 64 bits is more than enough.
std::uint64_t number_of(const ASN1_INTEGER* integer) {
    std::uint64_t out = 0;
    return integer != nullptr && ASN1_INTEGER_get_uint64(&out, integer) == 1 ? out : UINT64_MAX;
}

/// Rounds of PBKDF2, of PBES1 or of PKCS#12's derivation; for scrypt what its three costs make together.
std::uint64_t derivation_cost(const X509_SIG& sealed) {
    const X509_ALGOR* algorithm = nullptr;
    X509_SIG_get0(&sealed, &algorithm, nullptr);
    if (algorithm == nullptr) return 0;
    if (OBJ_obj2nid(algorithm->algorithm) != NID_pbes2) {
        const auto simple = unpacked<PBEPARAM>(algorithm->parameter, ASN1_ITEM_rptr(PBEPARAM), PBEPARAM_free);
        return simple ? number_of(simple->iter) : 0;
    }
    const auto scheme = unpacked<PBE2PARAM>(algorithm->parameter, ASN1_ITEM_rptr(PBE2PARAM), PBE2PARAM_free);
    if (!scheme || scheme->keyfunc == nullptr) return 0;
    if (OBJ_obj2nid(scheme->keyfunc->algorithm) == NID_id_scrypt) {
        const auto scrypt =
            unpacked<SCRYPT_PARAMS>(scheme->keyfunc->parameter, ASN1_ITEM_rptr(SCRYPT_PARAMS), SCRYPT_PARAMS_free);
        if (!scrypt) return 0;
        std::uint64_t out = 1;
        for (const auto* each : {scrypt->costParameter, scrypt->blockSize, scrypt->parallelizationParameter})
            if (__builtin_mul_overflow(out, number_of(each), &out)) return UINT64_MAX;
        return out;
    }
    const auto rounds =
        unpacked<PBKDF2PARAM>(scheme->keyfunc->parameter, ASN1_ITEM_rptr(PBKDF2PARAM), PBKDF2PARAM_free);
    return rounds ? number_of(rounds->iter) : 0;
}

}  // namespace

std::vector<BytesView> key_candidates(BytesView file) {
    static constexpr std::string_view begin = "-----BEGIN ";
    static constexpr std::string_view dashes = "-----";
    constexpr std::size_t most = 16;  // of which a file can make libcrypto try each
    const auto text = as_text(file);
    std::vector<BytesView> out;
    if (file.size() > longest_key_file) return out;
    for (std::size_t at = text.find(begin); at != std::string_view::npos && out.size() < most;) {
        const auto named = at + begin.size();
        const auto label = text.substr(named, text.find(dashes, named) - named);
        const auto end = fmt::format("-----END {}-----", label);
        const auto found = label.find('\n') == std::string_view::npos ? text.find(end, named) : std::string_view::npos;
        if (found == std::string_view::npos) {
            at = text.find(begin, named);
            continue;
        }
        auto after = found + end.size();
        if (text.substr(after).starts_with('\n')) ++after;
        if (label.find("CERTIFICATE") == std::string_view::npos && !label.ends_with("PARAMETERS"))
            out.push_back(file.subspan(at, after - at));
        at = text.find(begin, after);
    }
    if (out.empty() && text.find(begin) == std::string_view::npos) out.push_back(file);
    return out;
}

bool is_sealed(BytesView candidate) {
    const auto text = as_text(candidate);
    if (text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") ||
        text.find("Proc-Type: 4,ENCRYPTED") != std::string_view::npos)
        return true;
    bool out = false;
    each_sealed(candidate, [&](const X509_SIG&) { out = true; });
    return out;
}

Result<> check_derivation_cost(BytesView candidate) {
    std::uint64_t cost = 0;
    each_sealed(candidate, [&](const X509_SIG& sealed) { cost = std::max(cost, derivation_cost(sealed)); });
    if (cost <= most_rounds) return {};
    return fail(Errc::key_unusable,
                fmt::format("expected a passphrase to be hashed at most {} times for an encrypted key, found {}",
                            most_rounds, cost));
}

}  // namespace fota::image
