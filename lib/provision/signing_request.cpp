#include "provision/signing_request.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

#include "base/bytes.hpp"

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
    std::string padded;
    for (const char each : base64url) padded += each == '-' ? '+' : each == '_' ? '/' : each;
    while (!padded.empty() && padded.back() == '=') padded.pop_back();
    const auto padding = (4 - padded.size() % 4) % 4;
    if (padding == 3 || padded.size() > 16 * 1024) return malformed("text that is no base64");
    padded.append(padding, '=');
    Bytes der(padded.size());
    const auto length = EVP_DecodeBlock(der.data(), reinterpret_cast<const unsigned char*>(padded.data()),
                                        static_cast<int>(padded.size()));
    if (length < static_cast<int>(padding)) return malformed("text that is no base64");
    const auto size = static_cast<long>(length) - static_cast<long>(padding);
    const unsigned char* cursor = der.data();
    const std::unique_ptr<X509_REQ, Free<X509_REQ_free>> request(d2i_X509_REQ(nullptr, &cursor, size));
    if (!request || cursor != der.data() + size) return malformed("other bytes");
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
