// Certificates made for one test: an authority, and what it issues.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "base/bytes.hpp"

namespace fota::adapters::test {

struct FreeX509 {
    void operator()(X509* it) const { X509_free(it); }
    void operator()(EVP_PKEY* it) const { EVP_PKEY_free(it); }
    void operator()(BIO* it) const { BIO_free(it); }
};

struct Issued {
    std::unique_ptr<X509, FreeX509> certificate;
    std::unique_ptr<EVP_PKEY, FreeX509> key;
};

/// What to put in. `names` is OpenSSL's notation of subjectAltName: "URI:urn:x,DNS:y".
struct Wanted {
    std::string common_name = {};
    std::string names = {};
    std::string more_names = {};  ///< in a second such extension, which no good certificate has
    long days = 30;               ///< from an hour before now; negative: expired
    bool authority = false;
};

inline Issued issue(const Wanted& wanted, const Issued* issuer = nullptr) {
    static long serial = 1;
    Issued out{std::unique_ptr<X509, FreeX509>(X509_new()), std::unique_ptr<EVP_PKEY, FreeX509>(EVP_EC_gen("P-256"))};
    auto* certificate = out.certificate.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.days < 0 ? -90L * 86'400 : -3'600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.days * 86'400);
    if (!wanted.common_name.empty())
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(wanted.common_name.data()),
                                   static_cast<int>(wanted.common_name.size()), -1, 0);
    X509_set_issuer_name(certificate,
                         X509_get_subject_name(issuer == nullptr ? certificate : issuer->certificate.get()));
    X509_set_pubkey(certificate, out.key.get());
    const auto extend = [&](int kind, const std::string& value) {
        auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
        if (extension == nullptr) throw std::runtime_error("no extension " + value);
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    };
    extend(NID_basic_constraints, wanted.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    for (const auto& names : {wanted.names, wanted.more_names})
        if (!names.empty()) extend(NID_subject_alt_name, names);
    if (X509_sign(certificate, issuer == nullptr ? out.key.get() : issuer->key.get(), EVP_sha256()) == 0)
        throw std::runtime_error("the certificate was not signed");
    return out;
}

template <class Write>
Bytes pem(Write write) {
    const std::unique_ptr<BIO, FreeX509> out(BIO_new(BIO_s_mem()));
    write(out.get());
    char* data = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &data);
    return Bytes(data, data + size);
}
inline Bytes certificate_pem(const Issued& it) {
    return pem([&](BIO* out) { PEM_write_bio_X509(out, it.certificate.get()); });
}
inline Bytes key_pem(const Issued& it) {
    return pem(
        [&](BIO* out) { PEM_write_bio_PKCS8PrivateKey(out, it.key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
}

}  // namespace fota::adapters::test
