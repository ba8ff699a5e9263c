#include "update/smp_upload.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "smp/refusal.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// A slot of 1 MiB in slow SPI flash, sector by sector, at its datasheet's worst.
constexpr Milliseconds longest_erase{120'000};
constexpr Milliseconds longest_reply{10'000};

Error stalled(const std::string& name, const smp::Upload& upload, Milliseconds silence) {
    return Error(Errc::transfer_stalled,
                 fmt::format("expected {} to confirm more of the image, found no progress for {} after {}",
                             printable(name), human_duration(silence), human_size(upload.acknowledged())))
        .with("offset", std::to_string(upload.acknowledged()))
        .with("device", name);
}

}  // namespace

awaitable<Result<>> drive(SmpClient& client, smp::Upload& upload, UploadPace pace, UploadProgress progress) {
    auto& clock = client.clock();
    auto& channel = client.channel();
    // A reply needs no more line time than this, a request what its chunk and header make.
    const auto line_time = channel.wire_time(upload.chunk() + 40) + channel.wire_time(40);
    auto patience = pace.reply;
    auto erase_patience = pace.erase;
    auto last_progress = clock.now();
    bool erased = false;
    while (!upload.done()) {
        for (;;) {
            auto command = upload.next(client.next_sequence());
            if (!command) break;
            auto sent = co_await client.send(std::move(*command));
            if (!sent) co_return fail(std::move(sent.error()));
        }
        const bool erasing = upload.erasing() && !erased;
        const auto wait = (erasing ? erase_patience : patience) + line_time * static_cast<int>(upload.in_flight());
        const auto limit = last_progress + (erasing ? std::max(pace.stall, longest_erase) : pace.stall);
        auto message = co_await client.receive(std::min(clock.now() + wait, limit));
        if (!message) {
            if (message.error().code() != Errc::timed_out) co_return fail(std::move(message.error()));
            if (clock.now() >= limit)
                co_return fail(stalled(channel.name(), upload, to_ms(clock.now() - last_progress)));
            upload.lost();
            if (erasing)
                erase_patience *= 2;
            else
                patience = std::min(patience * 2, longest_reply);
            continue;
        }
        if (message->group != smp::group::image || message->command != 1 || !upload.waits_for(message->sequence))
            continue;
        CO_TRY(const auto answer, smp::from_cbor(message->body));
        if (const auto refusal = smp::refusal_of(answer)) {
            co_return fail(smp::to_error(*refusal, "take the image"));
        }
        const auto offset = smp::number(answer, "off");
        if (!offset) co_return fail(Errc::message_malformed, "expected an offset in the answer, found none");
        std::optional<bool> match;
        if (answer.contains("match")) match = smp::flag(answer, "match");
        const auto before = upload.acknowledged();
        CO_TRY_VOID(upload.replied(message->sequence, *offset, match));
        patience = pace.reply;
        erased = true;
        if (upload.acknowledged() == before) {
            if (clock.now() >= limit)
                co_return fail(stalled(channel.name(), upload, to_ms(clock.now() - last_progress)));
            continue;
        }
        if (upload.acknowledged() > before) last_progress = clock.now();
        if (progress) progress(upload);
    }
    co_return Result<>{};
}

}  // namespace fota::update
