// A DTLS client made of OpenSSL alone: chosen suite, chosen port, and a death in silence.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <cstring>
#include <memory>
#include <string>

#include "unit/adapters/loop.hpp"

namespace fota::adapters::test {

class DtlsTestClient {
  public:
    DtlsTestClient(Loop& loop, const std::string& server, ports::Credentials credentials, const char* suite,
                   unsigned short port = 0)
        : credentials_(std::move(credentials)), socket_(loop.io), timer_(loop.io) {
        socket_.open(boost::asio::ip::udp::v4());
        // Lets a test share the port later; set before the bind, it would let the kernel give out a port twice.
        if (port != 0) socket_.set_option(boost::asio::socket_base::reuse_address(true));
        socket_.bind({boost::asio::ip::make_address("127.0.0.1"), port});
        socket_.set_option(boost::asio::socket_base::reuse_address(true));
        socket_.connect(parse_listen_address(server).value());
        socket_.non_blocking(true);
        context_.reset(SSL_CTX_new(DTLS_client_method()));
        SSL_CTX_set_cipher_list(context_.get(), (std::string(suite) + ":@SECLEVEL=0").c_str());
        SSL_CTX_set_psk_client_callback(
            context_.get(),
            [](SSL* ssl, const char*, char* identity, unsigned room, unsigned char* key,
               unsigned key_room) -> unsigned {
                const auto& self = *static_cast<DtlsTestClient*>(SSL_get_app_data(ssl));
                const auto& secret = self.credentials_.key.reveal();
                if (self.credentials_.identity.size() + 1 > room || secret.size() > key_room) return 0;
                std::memcpy(identity, self.credentials_.identity.c_str(), self.credentials_.identity.size() + 1);
                std::memcpy(key, secret.data(), secret.size());
                return static_cast<unsigned>(secret.size());
            });
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_app_data(ssl_.get(), this);
        BIO* bio = BIO_new_dgram(socket_.native_handle(), BIO_NOCLOSE);
        const auto remote = socket_.remote_endpoint();
        sockaddr_in name{};
        std::memcpy(&name, remote.data(), sizeof(name));
        BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &name);
        SSL_set_bio(ssl_.get(), bio, bio);
        SSL_set_connect_state(ssl_.get());
    }

    /// Before the handshake.
    void use_certificate(X509* certificate, EVP_PKEY* key) {
        SSL_use_certificate(ssl_.get(), certificate);
        SSL_use_PrivateKey(ssl_.get(), key);
    }

    struct FreeSession {
        void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
    };
    using Session = std::unique_ptr<SSL_SESSION, FreeSession>;
    /// After the handshake: what another client can resume. A copy, for OpenSSL marks a session that ends without
    /// close_notify as one not to be resumed, and a device that loses power does not.
    Session session() const { return Session(SSL_SESSION_dup(SSL_get_session(ssl_.get()))); }
    /// Before the handshake.
    void resume(const Session& session) { SSL_set_session(ssl_.get(), Session(SSL_SESSION_dup(session.get())).get()); }
    bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }

    unsigned short port() const { return socket_.local_endpoint().port(); }
    /// Datagrams as they leave, records and all.
    std::uint64_t bytes_written() const { return BIO_number_written(SSL_get_wbio(ssl_.get())); }
    std::string suite() const { return SSL_get_cipher_name(ssl_.get()); }

    /// True when established; false on an alert.
    awaitable<bool> handshake() {
        for (;;) {
            ERR_clear_error();
            const int done = SSL_do_handshake(ssl_.get());
            if (done == 1) co_return true;
            if (SSL_get_error(ssl_.get(), done) != SSL_ERROR_WANT_READ) co_return false;
            co_await readable();
            DTLSv1_handle_timeout(ssl_.get());
        }
    }

    /// Sends a GET and returns the payload of the answer.
    awaitable<std::string> get(std::string path) {
        auto request = coap::make_request(coap::Code::get, path);
        request.id = ++id_;
        const auto datagram = coap::encode(request).value();
        SSL_write(ssl_.get(), datagram.data(), static_cast<int>(datagram.size()));
        std::array<std::uint8_t, 2048> buffer;
        for (;;) {
            ERR_clear_error();
            const int size = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
            if (size > 0)
                co_return std::string(
                    as_text(coap::decode(BytesView(buffer.data(), static_cast<std::size_t>(size))).value().payload));
            if (SSL_get_error(ssl_.get(), size) != SSL_ERROR_WANT_READ) co_return "(session ended)";
            co_await readable();
        }
    }

    /// Goes as far as the ClientHello with a good cookie, and no further.
    awaitable<bool> begin_handshake() {
        SSL_do_handshake(ssl_.get());
        co_await readable();
        SSL_do_handshake(ssl_.get());
        co_return true;
    }
    /// A datagram past the session, as anyone could send it with this source address.
    void send_raw(BytesView datagram) { socket_.send(boost::asio::buffer(datagram.data(), datagram.size())); }
    /// Gives the port away; nothing is sent.
    void die() { socket_.close(); }

  private:
    awaitable<void> readable() {
        timer_.expires_after(std::chrono::milliseconds(200));
        // The handler may be on its way when the client is gone.
        timer_.async_wait([this, alive = std::weak_ptr(alive_)](boost::system::error_code error) {
            if (!error && !alive.expired()) socket_.cancel();
        });
        co_await socket_.async_wait(boost::asio::ip::udp::socket::wait_read,
                                    boost::asio::as_tuple(boost::asio::use_awaitable));
        timer_.cancel();
    }

    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    ports::Credentials credentials_;
    boost::asio::ip::udp::socket socket_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> ssl_;
    std::uint16_t id_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace fota::adapters::test
