#include "bench/scale/clients.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <vector>

#include "coap/message.hpp"

namespace fota::bench {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

/// How many devices connect and register at the same time: a burst of all of them would only measure lost datagrams.
constexpr std::size_t at_once = 64;
constexpr auto repeat_after = std::chrono::milliseconds(1'000);

struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

struct Client {
    std::unique_ptr<SSL, SslDeleter> ssl;
    bool registered = false;
    SteadyTime sent{};
};

unsigned psk(SSL* ssl, const char*, char* identity, unsigned identity_size, unsigned char* key, unsigned key_size) {
    const auto number = reinterpret_cast<std::uintptr_t>(SSL_get_ex_data(ssl, 0));
    const auto name = fmt::format("identity-{}", number);
    if (name.size() + 1 > identity_size || key_size < 16) return 0;
    std::memcpy(identity, name.c_str(), name.size() + 1);
    std::memset(key, 7, 16);
    return 16;
}

class Clients {
  public:
    explicit Clients(const ClientPlan& plan) : plan_(plan), clients_(plan.devices) {}

    int run() {
        if (!open()) return 1;
        if (plan_.dtls) {
            context_.reset(SSL_CTX_new(DTLS_client_method()));
            SSL_CTX_set_psk_client_callback(context_.get(), psk);
            SSL_CTX_set_cipher_list(context_.get(), "PSK-AES128-CCM8:@SECLEVEL=0");
            SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS);
        }
        for (;;) {
            while (busy_.size() < at_once && next_ < clients_.size()) {
                begin(next_);
                busy_.push_back(next_++);
            }
            pollfd poll{socket_, POLLIN, 0};
            ::poll(&poll, 1, busy_.empty() ? -1 : 100);
            receive();
            std::erase_if(busy_, [&](std::size_t i) { return clients_[i].registered; });
            const auto now = std::chrono::steady_clock::now();
            for (const auto i : busy_)
                if (now - clients_[i].sent > repeat_after) begin(i);
        }
    }

  private:
    bool open() {
        socket_ = ::socket(AF_INET, SOCK_DGRAM, 0);
        sockaddr_in any{};
        any.sin_family = AF_INET;
        const int on = 1, large = 32 << 20;
        ::setsockopt(socket_, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
        server_.sin_family = AF_INET;
        server_.sin_port = htons(plan_.server_port);
        server_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return socket_ >= 0 && ::bind(socket_, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0;
    }

    void begin(std::size_t i) {
        auto& client = clients_[i];
        client.sent = std::chrono::steady_clock::now();
        if (!plan_.dtls) {
            send_message(i, registration(i));
            return;
        }
        client.ssl.reset(SSL_new(context_.get()));
        SSL_set_ex_data(client.ssl.get(), 0, reinterpret_cast<void*>(i));
        SSL_set_bio(client.ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(client.ssl.get());
        DTLS_set_link_mtu(client.ssl.get(), 1'400);
        step(i);
    }

    static coap::Message registration(std::size_t i) {
        auto message = coap::make_request(coap::Code::post, "/rd");
        message.id = static_cast<std::uint16_t>(i);
        message.token = coap::Token(Bytes{1, 2, 3, 4});
        message.add(coap::OptionNumber::uri_query, fmt::format("ep=device-{}", i));
        message.add(coap::OptionNumber::uri_query, "lt=86400");
        message.add(coap::OptionNumber::uri_query, "lwm2m=1.1");
        message.set_format(coap::Format::link);
        message.payload = to_bytes(as_bytes("</1/0>,</3/0>,</5/0>"));
        return message;
    }

    /// Handshake, then registration, then requests; whatever TLS wants to send is sent.
    void step(std::size_t i) {
        auto* ssl = clients_[i].ssl.get();
        if (!SSL_is_init_finished(ssl)) {
            SSL_do_handshake(ssl);
            flush(i);
            if (!SSL_is_init_finished(ssl)) return;
            send_message(i, registration(i));
        }
        std::uint8_t plain[2'048];
        for (int size; (size = SSL_read(ssl, plain, sizeof plain)) > 0;)
            answer(i, {plain, static_cast<std::size_t>(size)});
        flush(i);
    }

    void flush(std::size_t i) {
        char out[4'096];
        for (int size; (size = BIO_read(SSL_get_wbio(clients_[i].ssl.get()), out, sizeof out)) > 0;)
            send_datagram(i, {reinterpret_cast<std::uint8_t*>(out), static_cast<std::size_t>(size)});
    }

    void answer(std::size_t i, BytesView datagram) {
        const auto request = coap::decode(datagram);
        if (!request) return;
        if (request->code == coap::Code::created) {
            clients_[i].registered = true;
            return;
        }
        if (!coap::is_request(request->code)) return;
        coap::Message reply;
        reply.type = coap::Type::ack;
        reply.id = request->id;
        reply.token = request->token;
        reply.code = coap::Code::changed;
        if (const auto block = request->block1()) {
            if (block->more) reply.code = coap::Code::continue_;
            reply.set_block(coap::OptionNumber::block1, *block);
        }
        send_message(i, reply);
    }

    void send_message(std::size_t i, const coap::Message& message) {
        const auto datagram = coap::encode(message);
        if (!datagram) return;
        if (!plan_.dtls) {
            send_datagram(i, *datagram);
            return;
        }
        SSL_write(clients_[i].ssl.get(), datagram->data(), static_cast<int>(datagram->size()));
        flush(i);
    }

    /// From the device's own address: 127.16.0.0 and up.
    void send_datagram(std::size_t i, BytesView datagram) {
        iovec data{const_cast<std::uint8_t*>(datagram.data()), datagram.size()};
        alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))] = {};
        msghdr message{&server_, sizeof server_, &data, 1, control, sizeof control, 0};
        auto* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
        in_pktinfo from{};
        from.ipi_spec_dst.s_addr = htonl(first_address + static_cast<std::uint32_t>(i));
        std::memcpy(CMSG_DATA(header), &from, sizeof from);
        ::sendmsg(socket_, &message, 0);
    }

    void receive() {
        for (;;) {
            std::uint8_t bytes[2'048];
            iovec data{bytes, sizeof bytes};
            alignas(cmsghdr) char control[CMSG_SPACE(sizeof(in_pktinfo))];
            msghdr message{nullptr, 0, &data, 1, control, sizeof control, 0};
            const auto size = ::recvmsg(socket_, &message, MSG_DONTWAIT);
            if (size < 0) return;
            for (auto* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
                if (header->cmsg_type != IP_PKTINFO) continue;
                in_pktinfo to{};
                std::memcpy(&to, CMSG_DATA(header), sizeof to);
                const std::size_t i = ntohl(to.ipi_addr.s_addr) - first_address;
                if (i >= clients_.size()) continue;
                const BytesView datagram{bytes, static_cast<std::size_t>(size)};
                if (!plan_.dtls) {
                    answer(i, datagram);
                } else if (clients_[i].ssl) {
                    BIO_write(SSL_get_rbio(clients_[i].ssl.get()), bytes, static_cast<int>(size));
                    step(i);
                }
            }
        }
    }

    static constexpr std::uint32_t first_address = 0x7f100000;

    ClientPlan plan_;
    std::vector<Client> clients_;
    std::unique_ptr<SSL_CTX, SslDeleter> context_;
    std::vector<std::size_t> busy_;
    std::size_t next_ = 0;
    sockaddr_in server_{};
    int socket_ = -1;
};

}  // namespace

int run_clients(const ClientPlan& plan) {
    return Clients(plan).run();
}

}  // namespace fota::bench
