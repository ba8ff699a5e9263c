#include "provision/signing_request.hpp"

#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "base/base64url.hpp"

namespace fota::provision {

namespace {

template <auto Function>
struct Free {
    template <class T>
    void operator()(T* object) const noexcept {
        Function(object);
    }
};

Failure malformed(std::string found) {
    return fail(Errc::message_malformed, "expected a certificate signing request from the modem, found " + found);
}

}  // namespace

Result<std::string> signing_request_pem(std::string_view base64url) {
    const auto der = from_base64url(base64url);
    if (!der || der->empty()) return malformed("text that is no base64url");
    const unsigned char* cursor = der->data();
    const std::unique_ptr<X509_REQ, Free<X509_REQ_free>> request(
        d2i_X509_REQ(nullptr, &cursor, static_cast<long>(der->size())));
    if (!request || cursor != der->data() + der->size()) return malformed("other bytes");
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr || X509_REQ_verify(request.get(), key) != 1)
        return malformed("one that its own key did not sign");
    const std::unique_ptr<BIO, Free<BIO_free_all>> memory(BIO_new(BIO_s_mem()));
    if (!memory || PEM_write_bio_X509_REQ(memory.get(), request.get()) != 1)
        return fail(Errc::internal, "libcrypto could not write a signing request as PEM");
    char* text = nullptr;
    const auto written = BIO_get_mem_data(memory.get(), &text);
    return std::string(text, static_cast<std::size_t>(written));
}

}  // namespace fota::provision
