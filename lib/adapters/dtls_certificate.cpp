#include "adapters/dtls_certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>

namespace fota::adapters {
namespace {

struct Free {
    void operator()(BIO* it) const noexcept { BIO_free(it); }
    void operator()(X509* it) const noexcept { X509_free(it); }
    void operator()(EVP_PKEY* it) const noexcept { EVP_PKEY_free(it); }
    void operator()(GENERAL_NAMES* it) const noexcept { GENERAL_NAMES_free(it); }
    void operator()(unsigned char* it) const noexcept { OPENSSL_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// A client's chain is a few certificates of about 600 bytes; OpenSSL would take 100 KiB from anyone with a cookie.
constexpr long longest_client_chain = 8 * 1024;
// OpenSSL's level 2: at least 112 bits, no SHA-1. The context's own level is 0 for the sake of CCM_8.
constexpr int certificate_strength = 2;

Owned<BIO> reader(BytesView pem) {
    return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Owned<X509> next_certificate(BIO* from) {
    return Owned<X509>(PEM_read_bio_X509(from, nullptr, nullptr, nullptr));
}

Failure unusable(std::string message) {
    ERR_clear_error();
    return fail(Error(Errc::credentials_unusable, std::move(message)));
}

std::optional<std::string> text_of(const ASN1_STRING* value) {
    unsigned char* raw = nullptr;
    const int size = ASN1_STRING_to_UTF8(&raw, value);
    const Owned<unsigned char> text(raw);
    if (size <= 0) return std::nullopt;
    std::string out(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size));
    if (out.find('\0') != std::string::npos) return std::nullopt;
    return out;
}

}  // namespace

Result<> use_certificate(ssl_ctx_st* context, const ServerCertificate& certificate) {
    const auto chain = reader(certificate.chain);
    const auto own = next_certificate(chain.get());
    if (!own) return unusable("expected the server's certificate in PEM, found none");
    const auto key_source = reader(certificate.key.reveal());
    const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(
        key_source.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
    if (!key) return unusable("expected the server's private key in PEM without a passphrase, found something else");
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC)
        return unusable("expected an elliptic-curve key of the server (ECDHE-ECDSA), found another kind");
    if (SSL_CTX_use_certificate(context, own.get()) != 1 || SSL_CTX_use_PrivateKey(context, key.get()) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return unusable("expected the private key of the server's certificate, found another one's");
    while (const auto issuer = next_certificate(chain.get()))
        if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) return unusable("the server's chain was not accepted");
    const auto anchors = reader(certificate.client_ca);
    int count = 0;
    while (const auto anchor = next_certificate(anchors.get())) {
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor.get()) != 1 ||
            SSL_CTX_add_client_CA(context, anchor.get()) != 1)
            return unusable("a certificate of the devices' issuers was not accepted");
        ++count;
    }
    ERR_clear_error();  // the end of a PEM file is an error to OpenSSL
    if (count == 0) return unusable("expected the certificates of the devices' issuers in PEM, found none");
    // The issuer that was named is trusted, and not whoever issued that one.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_auth_level(SSL_CTX_get0_param(context), certificate_strength);
    SSL_CTX_set_max_cert_list(context, longest_client_chain);
    if (SSL_CTX_set1_groups_list(context, "P-256:P-384") != 1 ||
        SSL_CTX_set1_sigalgs_list(context, "ECDSA+SHA256:ECDSA+SHA384") != 1)
        return unusable("OpenSSL offers no ECDSA on P-256");
    return {};
}

std::optional<std::string> endpoint_of(const x509_st* certificate) {
    int critical = 0;
    const Owned<GENERAL_NAMES> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)));
    if (!names && critical != -1) return std::nullopt;  // twice, or not readable
    std::optional<std::string> found;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI && name->type != GEN_DNS) continue;
        if (found) return std::nullopt;
        found = text_of(name->type == GEN_URI ? name->d.uniformResourceIdentifier : name->d.dNSName);
        if (!found) return std::nullopt;
    }
    if (found) return found;
    const auto* subject = X509_get_subject_name(certificate);
    const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) return std::nullopt;
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
}

}  // namespace fota::adapters
