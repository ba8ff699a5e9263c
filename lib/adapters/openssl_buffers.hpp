// Where OpenSSL's large buffers live: on pages of their own, which can be given back to the system while OpenSSL still
// holds the buffer.
//
// OpenSSL keeps the 21 KiB buffer in which it assembles handshake messages for as long as a DTLS session lives, in case
// the last flight must be repeated (3.0's tls_finish_handshake frees it for TLS alone). Nothing in it is read again
// before it is written, yet at 25,000 sessions it is half a gigabyte. No function of OpenSSL frees it; so blocks of
// that size are taken from a range of whole pages, installed through CRYPTO_set_mem_functions before main() begins.
#pragma once

namespace fota::adapters {

/// False when OpenSSL was in use before this could be installed: everything works, and sessions cost more memory.
bool openssl_buffers_installed() noexcept;

/// Gives the memory behind the buffer that `inside` points into back to the system. The buffer stays its owner's and
/// reads as zeros. Without effect on any other pointer. Only for contents that nobody needs.
void release_openssl_buffer(const void* inside) noexcept;

}  // namespace fota::adapters
