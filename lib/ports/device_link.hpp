// One device as `update` sees it: registration facts, awake events, read, write, execute, and delivery of an image. Our
// own server is one implementation; a REST API of a server that a fleet already uses will be another.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "lwm2m/operation.hpp"
#include "lwm2m/registration.hpp"

namespace fota::ports {

struct Registration {
    lwm2m::RegistrationParameters parameters;
    std::string address;
    std::string identity;  ///< authenticated DTLS identity; empty in clear
    bool secure = false;
    std::uint64_t serial = 0;   ///< counts full registrations of this device; a new one after a reboot
    std::uint64_t session = 0;  ///< changes with every new DTLS session
    Instant last_heard{};       ///< last authenticated datagram
};

/// How long a registered device may sleep before it has to be heard of again, and a tenth more; a month where the
/// registration never ends.
inline Milliseconds longest_sleep(const Registration& registration) {
    const Milliseconds lifetime = registration.parameters.lifetime;
    return lifetime == Milliseconds(0) ? Milliseconds(std::chrono::days(30)) : lifetime * 11 / 10;
}

/// Times in a row that a device which sleeps by agreement may wake without getting any further: then it is treated as
/// one that should be listening.
inline constexpr int most_wakings = 3;

/// The answer to an operation. A refusal by the device (4.xx, 5.xx) is a value, not an Error: the caller decides.
struct Answer {
    lwm2m::Status code{};
    std::optional<std::uint32_t> format;
    Bytes payload;
    std::optional<std::chrono::seconds> max_age = {};  ///< with 5.03: when to ask again; any number

    bool ok() const noexcept { return lwm2m::succeeded(code); }
};

/// What is known about the progress of a delivery.
struct DeliveryProgress {
    std::uint64_t bytes = 0;  ///< acknowledged, including the start offset
    std::uint64_t total = 0;
    std::uint32_t block = 0;   ///< blocks acknowledged
    std::uint32_t blocks = 0;  ///< at the current block size
    std::uint32_t block_size = 0;
    std::uint64_t retransmissions = 0;
    std::uint64_t payload_bytes = 0;  ///< image bytes sent, resends included
    Milliseconds round_trip{0};       ///< last unambiguous sample
    bool paused = false;              ///< the link is silent; waiting for the device
};

struct DeliveryRequest {
    lwm2m::Path package;             ///< 5/0/0
    BytesView image;                 ///< owned by the caller, outlives the delivery
    std::uint32_t block_size = 512;  ///< first size to try, 16..1024; halved on 4.13
    std::uint64_t start_offset = 0;  ///< bytes of `image` the device already holds (26245/0/10 was written)
    std::uint32_t first_block = 0;   ///< continue an interrupted transfer at this block with `token`
    Bytes token;                     ///< empty: a fresh one
    Milliseconds stall{300'000};     ///< no acknowledged block for this long: transfer_stalled
    /// How long to wait for a device that fell asleep, which is not counted as a stall; nullopt: its lifetime and a
    /// tenth
    std::optional<Milliseconds> sleep;
    std::function<void(const DeliveryProgress&)> on_progress;
};

struct Delivery {
    enum class End : std::uint8_t {
        complete,     ///< every block was acknowledged
        check_state,  ///< it ended with an error on the last block, or 2.04 early: State decides what that was worth
        lost_place,   ///< the device does not go on at this block: resume by offset or start over
        refused,      ///< it does not take the transfer; `last` tells the code
    };
    End end = End::complete;
    DeliveryProgress progress;
    lwm2m::Status last{};               ///< code of the last answer
    std::optional<std::uint32_t> most;  ///< with 4.13: the largest package it takes, where it says so (Size1)
    std::uint32_t block_size = 0;       ///< the size that was used in the end
};

/// A push that an earlier run left in the middle, of whatever image, as far as its journal knows.
struct UnfinishedTransfer {
    lwm2m::Path package;
    Bytes token;
    std::uint32_t block_size = 512;
    std::uint32_t first_block = 1;  ///< the device expects this one or a later one
    std::uint32_t candidates = 1;   ///< how many may be the one it expects
};

/// An image for the device to fetch itself (pull).
struct OfferRequest {
    BytesView image;        ///< owned by the caller, outlives the offer
    std::string advertise;  ///< HOST[:PORT] for the URI; "": the address at which the device reaches us
    Bytes secret;           ///< 16 bytes nobody can guess; the same ones make the same URI, also after our restart
};

/// What the device has fetched of it.
struct FetchProgress {
    std::uint64_t requests = 0;       ///< blocks served, repeated ones included
    std::uint64_t repeats = 0;        ///< requests for the block that was served last
    std::uint64_t bytes = 0;          ///< what it must have by its last request
    std::uint64_t furthest = 0;       ///< the largest `bytes` so far
    std::uint64_t payload_bytes = 0;  ///< image bytes sent, repeated ones included
    std::uint32_t block = 0;          ///< number of the last one served
    std::uint32_t block_size = 0;
    std::optional<Instant> last_request;
};

/// Served to its device alone, until destroyed: later requests are answered 4.04.
class Offer {
  public:
    virtual ~Offer() = default;
    /// For 5/0/1.
    virtual const std::string& uri() const = 0;
    virtual const FetchProgress& progress() const = 0;
    /// Until there were more than `after` requests; false at the deadline, or when cancelled.
    virtual boost::asio::awaitable<bool> await_request(std::uint64_t after, Instant deadline) = 0;
};

/// An observation (RFC 7641) that only ever ends a wait early: notifications get lost, and a device may end it without
/// a word. It ends with the registration; destroyed before, the device learns so from the reset to its next
/// notification.
class Watch {
  public:
    virtual ~Watch() = default;
    /// False once the device has registered anew, or has ended it.
    virtual bool alive() const = 0;
    /// Notifications so far.
    virtual std::uint64_t told() const = 0;
    /// Until told() > `after`, it is not alive() any more, the device is heard of (Register, Update), the deadline, or
    /// cancelled.
    virtual boost::asio::awaitable<void> await_told(std::uint64_t after, Instant deadline) = 0;
    /// Tells the device, as far as it listens.
    virtual boost::asio::awaitable<void> end() = 0;
};

class DeviceLink {
  public:
    virtual ~DeviceLink() = default;
    virtual const std::string& endpoint() const = 0;
    /// nullptr while it is not registered.
    virtual const Registration* registration() const = 0;
    /// Counts Register and Update of this device; each is the moment to start something with a sleepy one.
    virtual std::uint64_t awake_serial() const = 0;
    /// In queue mode (LwM2M Core 1.1 section 6.5), and silent for longer than it was seen to listen: what is sent now
    /// is lost, and what is wanted has to wait for its next Register or Update.
    virtual bool asleep() const = 0;
    /// Ends when awake_serial() > `after`; device_absent at the deadline (nullopt: no deadline).
    virtual boost::asio::awaitable<Result<>> await_awake(std::uint64_t after, std::optional<Instant> deadline) = 0;
    /// Errors of all operations: timed_out (asleep or gone; nothing is known of the effect), peer_gone, cancelled.
    /// `accept` is the format asked for; a device may answer in another (lwm2m::resource_value takes it apart).
    virtual boost::asio::awaitable<Result<Answer>> read(lwm2m::Path path, lwm2m::Format accept) = 0;
    virtual boost::asio::awaitable<Result<Answer>> write(lwm2m::Path path, Bytes value, lwm2m::Format format) = 0;
    virtual boost::asio::awaitable<Result<Answer>> execute(lwm2m::Path path, std::string arguments) = 0;
    /// Delivers by Block1. Pauses while the device is silent and resumes at the same block, also from another address
    /// or in a new session. Errors: transfer_stalled, cancelled.
    virtual boost::asio::awaitable<Result<Delivery>> deliver(DeliveryRequest request) = 0;
    /// For a device that answers 5.03 to everything but the rest of a package: sends an early last block where it may
    /// be expected, one after the other, until one is answered otherwise. True: one was, and what it held of that
    /// package is gone. Errors: as above.
    virtual boost::asio::awaitable<Result<bool>> end_transfer(UnfinishedTransfer) { co_return false; }
    /// Observes one resource. device_refused where the device, or this link, does not do so. Errors: as above.
    virtual boost::asio::awaitable<Result<std::unique_ptr<Watch>>> watch(lwm2m::Path path) {
        co_return fail(Errc::device_refused, "expected a link that observes, found one that only asks: " + path.text());
    }
    /// The URI is good once the device has registered; before that an offer serves a device that has one already.
    /// Errors: usage when the URI would be longer than lwm2m::longest_package_uri.
    virtual Result<std::unique_ptr<Offer>> offer(OfferRequest request) = 0;
};

}  // namespace fota::ports
