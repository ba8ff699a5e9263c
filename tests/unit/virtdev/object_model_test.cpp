#include "virtdev/object_model.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "lwm2m/formats.hpp"
#include "lwm2m/value.hpp"
#include "tests/unit/virtdev/small_image.hpp"

namespace fota::virtdev {
namespace {

using coap::Code;
using coap::Format;
using test::small_image;

/// An object model on a board that runs version 1, and a hand that sends it requests.
struct Bench {
    explicit Bench(QuirkSet quirks = {}) : model(board, quirks, std::chrono::seconds(60)) {
        EXPECT_TRUE(board.flash_image(small_image(1)));
        reboot();
    }

    void reboot() {
        const auto boot = board.reboot();
        ASSERT_TRUE(boot && boot->booted);
        model.after_boot(*boot);
        last_boot = *boot;
    }
    Reaction get(std::string_view path, std::optional<Format> accept = Format::text) {
        auto message = coap::make_request(Code::get, path);
        if (accept) message.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(*accept));
        return model.handle(message);
    }
    std::string text(std::string_view path) {
        const auto reaction = get(path);
        EXPECT_EQ(reaction.answer.message.code, Code::content) << path;
        return std::string(as_text(reaction.answer.message.payload));
    }
    Bytes opaque(std::string_view path) { return get(path, Format::opaque).answer.message.payload; }
    Code put(std::string_view path, std::string_view value, Format format = Format::text) {
        auto message = coap::make_request(Code::put, path);
        message.set_format(format);
        message.payload = to_bytes(as_bytes(value));
        return model.handle(message).answer.message.code;
    }
    Code post(std::string_view path) { return model.handle(coap::make_request(Code::post, path)).answer.message.code; }
    std::string state() { return text("/5/0/3") + "/" + text("/5/0/5"); }

    coap::Message block_message(const Bytes& package, std::uint32_t num, std::uint8_t szx = 5,
                                bool size1 = true) const {
        auto message = coap::make_request(Code::put, "/5/0/0");
        message.token = coap::Token(Bytes{1, 2, 3});
        message.set_format(Format::opaque);
        coap::Block block{num, false, szx};
        const auto rest = BytesView(package).subspan(static_cast<std::size_t>(block.offset()));
        block.more = rest.size() > block.size();
        message.set_block(coap::OptionNumber::block1, block);
        if (num == 0 && size1) message.add_uint(coap::OptionNumber::size1, static_cast<std::uint32_t>(package.size()));
        message.payload = to_bytes(rest.first(std::min<std::size_t>(rest.size(), block.size())));
        return message;
    }
    Reaction block(const Bytes& package, std::uint32_t num, std::uint8_t szx = 5, bool size1 = true) {
        return model.handle(block_message(package, num, szx, size1));
    }
    Code send(const Bytes& package, std::uint32_t num, std::uint8_t szx = 5, bool size1 = true) {
        return block(package, num, szx, size1).answer.message.code;
    }
    static std::uint32_t blocks(const Bytes& package, std::uint32_t size = 512) {
        return static_cast<std::uint32_t>((package.size() + size - 1) / size);
    }
    /// The code of the last block; everything before it must be 2.31.
    Code push(const Bytes& package, std::uint8_t szx = 5, bool size1 = true) {
        const auto count = blocks(package, 16u << szx);
        for (std::uint32_t num = 0; num + 1 < count; ++num) {
            const auto code = send(package, num, szx, size1);
            if (code != Code::continue_) return code;
        }
        return send(package, count - 1, szx, size1);
    }

    Board board{BootConfig{}, hash_only()};
    ObjectModel model;
    BootResult last_boot;
};

TEST(ObjectModel, SaysWhatItIs) {
    Bench bench;
    EXPECT_EQ(bench.text("/3/0/1"), "nrf9160dk");
    EXPECT_EQ(bench.text("/3/0/3"), "1.0.0+0");
    EXPECT_EQ(bench.text("/1/0/1"), "60");
    EXPECT_EQ(bench.text("/5/0/9"), "2");
    EXPECT_EQ(bench.state(), "0/0");
    EXPECT_EQ(bench.model.links(), "</>;ct=11542,</1/0>,</3/0>,</5/0>,</26245/0>");
}

TEST(ObjectModel, DescribesItsExternalFlash) {
    Bench bench;
    EXPECT_EQ(to_hex(bench.opaque("/26245/0/0")), "c22817");
    EXPECT_EQ(bench.text("/26245/0/1"), "8388608");
    EXPECT_EQ(bench.text("/26245/0/2"), "4096");
    EXPECT_EQ(bench.opaque("/26245/0/3").size(), 64u);
    EXPECT_EQ(bench.text("/26245/0/4"), std::to_string(0xe8000));
    EXPECT_EQ(bench.text("/26245/0/6"), "move");
    const auto image = small_image(1);
    EXPECT_EQ(bench.opaque("/26245/0/7"), to_bytes(BytesView(image).last(32)));
    EXPECT_EQ(bench.text("/26245/0/9"), "0");
    EXPECT_EQ(bench.text("/26245/0/10"), "0");
}

TEST(ObjectModel, PathsAndMethods) {
    Bench bench;
    EXPECT_EQ(bench.get("/5/0/99").answer.message.code, Code::not_found);
    EXPECT_EQ(bench.get("/5/1/3").answer.message.code, Code::not_found);
    EXPECT_EQ(bench.get("/7/0/0").answer.message.code, Code::not_found);
    EXPECT_EQ(bench.get("/x").answer.message.code, Code::not_found);
    EXPECT_EQ(bench.get("/5/0/0").answer.message.code, Code::method_not_allowed);
    EXPECT_EQ(bench.get("/5/0/2").answer.message.code, Code::method_not_allowed);
    EXPECT_EQ(bench.put("/5/0/3", "2"), Code::method_not_allowed);
    EXPECT_EQ(bench.post("/5/0/3"), Code::method_not_allowed);
    EXPECT_EQ(bench.post("/5/0/2"), Code::method_not_allowed);  // State 0
}

TEST(ObjectModel, FormatsFollowAccept) {
    Bench bench;
    EXPECT_EQ(bench.get("/26245/0/7", Format::text).answer.message.code, Code::not_acceptable);
    EXPECT_EQ(Bench({Quirk::lwm2m_1_0}).get("/5/0/3", Format::senml_cbor).answer.message.code, Code::not_acceptable);
    const auto tlv = bench.get("/26245/0/1", std::nullopt).answer.message;
    EXPECT_EQ(lwm2m::integer_value(lwm2m::external_flash::size, tlv.format(), tlv.payload), 8'388'608);
    const auto protocols = bench.get("/5/0/8", std::nullopt).answer.message;
    const auto listed = lwm2m::decode(lwm2m::firmware::protocols, protocols.format(), protocols.payload);
    ASSERT_TRUE(listed);
    EXPECT_EQ(listed->size(), 2u);  // CoAP, and CoAP over DTLS
    const auto instance = bench.get("/5/0", std::nullopt).answer.message;
    EXPECT_EQ(lwm2m::integer_value(lwm2m::firmware::delivery, instance.format(), instance.payload), 2);
    Bench wakaama({Quirk::no_accept});
    EXPECT_EQ(wakaama.get("/5/0/3", Format::text).answer.message.format(), 11542u);
    Bench modern({Quirk::senml_cbor_only});
    const auto state = modern.get("/5/0/3", Format::text).answer.message;
    EXPECT_EQ(state.format(), 112u);
    EXPECT_EQ(lwm2m::integer_value(lwm2m::firmware::state, state.format(), state.payload), 0);
}

TEST(ObjectModel, AnInstanceAndAnObjectAreReadInWhateverFormatWasAskedFor) {
    Bench bench;
    for (const auto* path : {"/3", "/3/0", "/5", "/5/0", "/26245"})
        for (const auto format : {Format::tlv, Format::senml_json, Format::senml_cbor}) {
            SCOPED_TRACE(std::string(path) + " in " + lwm2m::format_name(static_cast<std::uint32_t>(format)));
            const auto answer = bench.get(path, format).answer.message;
            ASSERT_EQ(answer.code, Code::content);
            EXPECT_EQ(answer.format(), static_cast<std::uint32_t>(format));
            const auto all = lwm2m::decode(*lwm2m::Path::parse(path), answer.format(), answer.payload);
            ASSERT_TRUE(all) << all.error().text();
            EXPECT_GE(all->size(), 5u);
        }
    EXPECT_EQ(bench.get("/3", Format::text).answer.message.code, Code::not_acceptable);
    Bench two({Quirk::advanced_object});
    const auto both = two.get("/33629", Format::tlv).answer.message;
    const auto all = lwm2m::decode({33629, {}, {}}, both.format(), both.payload);
    ASSERT_TRUE(all);
    EXPECT_TRUE(std::ranges::any_of(*all, [](const auto& each) { return each.path.instance == 1; }));
    EXPECT_EQ(two.get("/5", Format::tlv).answer.message.code, Code::not_found);
    EXPECT_EQ(two.get("/33629/2", Format::tlv).answer.message.code, Code::not_found);
}

TEST(ObjectModel, TheInstancesOf33629NameEachOther) {
    const auto named = [](Bench& bench, const char* path) {
        const auto answer = bench.get(path, Format::tlv).answer.message;
        return lwm2m::decode(*lwm2m::Path::parse(path), answer.format(), answer.payload).value().size();
    };
    Bench linked({Quirk::advanced_object, Quirk::linked_instances});
    EXPECT_EQ(linked.get("/33629/0/16", Format::text).answer.message.code, Code::not_acceptable);
    EXPECT_EQ(named(linked, "/33629/0/16"), 0u);
    auto whole = linked.block_message(small_image(2, 400), 0, 6);
    whole.remove(coap::OptionNumber::uri_path);
    whole.set_path("/33629/0/0");
    EXPECT_EQ(linked.model.handle(whole).answer.message.code, Code::changed);
    EXPECT_EQ(linked.text("/33629/1/3"), "2");
    EXPECT_EQ(named(linked, "/33629/0/16"), 1u);
    EXPECT_EQ(named(linked, "/33629/1/16"), 1u);
    auto alone = coap::make_request(Code::post, "/33629/0/2");
    alone.payload = to_bytes(as_bytes("0"));
    linked.model.handle(alone);
    EXPECT_EQ(linked.text("/33629/0/5"), "13");
    EXPECT_EQ(named(linked, "/33629/0/17"), 1u);
    alone.payload = to_bytes(as_bytes("0='</33629/1>'"));
    linked.model.handle(alone);
    EXPECT_EQ(linked.text("/33629/0/3") + linked.text("/33629/1/3"), "33");
    EXPECT_EQ(Bench({Quirk::advanced_object}).get("/33629/0/16", Format::tlv).answer.message.code, Code::not_found);
}

TEST(ObjectModel, LifetimeIsWrittenAndAnnounced) {
    Bench bench;
    auto message = coap::make_request(Code::put, "/1/0/1");
    message.set_format(Format::text);
    message.payload = to_bytes(as_bytes("300"));
    EXPECT_EQ(bench.model.handle(message).afterwards, Afterwards::update);
    EXPECT_EQ(bench.model.lifetime(), std::chrono::seconds(300));
    EXPECT_EQ(bench.put("/1/0/1", "soon"), Code::bad_request);
    EXPECT_EQ(bench.put("/1/0/1", "-1"), Code::bad_request);
}

TEST(Package, GoesThroughTheStatesAndRuns) {
    Bench bench;
    const auto image = small_image(2);
    EXPECT_EQ(bench.send(image, 0), Code::continue_);
    EXPECT_EQ(bench.state(), "1/0");
    EXPECT_EQ(bench.post("/5/0/2"), Code::method_not_allowed);
    EXPECT_EQ(bench.push(image), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
    EXPECT_EQ(bench.text("/5/0/7"), "2.0.0+0");
    EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
    EXPECT_EQ(bench.send(image, 0), Code::method_not_allowed);
    EXPECT_EQ(bench.model.handle(coap::make_request(Code::post, "/5/0/2")).afterwards, Afterwards::reboot);
    EXPECT_EQ(bench.state(), "3/0");
    EXPECT_EQ(bench.post("/5/0/2"), Code::method_not_allowed);
    bench.reboot();
    EXPECT_EQ(bench.last_boot.swap, Swap::test);
    EXPECT_EQ(bench.text("/3/0/3"), "2.0.0+0");
    EXPECT_EQ(bench.state(), "0/1");
    EXPECT_EQ(bench.text("/26245/0/9"), "0");
    bench.reboot();  // nobody confirmed
    EXPECT_EQ(bench.text("/3/0/3"), "1.0.0+0");
    EXPECT_EQ(bench.state(), "0/8");
}

TEST(Package, EveryBlockSizeArrivesWhole) {
    for (std::uint8_t szx = 0; szx <= 6; ++szx) {
        Bench bench;
        const auto image = small_image(2, 3'000);
        EXPECT_EQ(bench.push(image, szx), Code::changed) << int{szx};
        EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
    }
}

TEST(Package, BlocksOutOfOrder) {
    Bench bench;
    const auto image = small_image(2);
    EXPECT_EQ(bench.send(image, 3), Code::not_found);  // a cold start
    EXPECT_EQ(bench.send(image, 0), Code::continue_);
    EXPECT_EQ(bench.send(image, 2), Code::request_entity_incomplete);
    EXPECT_EQ(bench.send(image, 1), Code::continue_);
    EXPECT_EQ(bench.send(image, 1), Code::continue_);                     // a repetition is not written again
    EXPECT_EQ(bench.send(image, 2, 6), Code::request_entity_incomplete);  // another size
    for (std::uint32_t num = 2; num + 1 < Bench::blocks(image); ++num)
        EXPECT_EQ(bench.send(image, num), Code::continue_);
    EXPECT_EQ(bench.send(image, Bench::blocks(image) - 1), Code::changed);
    EXPECT_EQ(bench.send(image, Bench::blocks(image) - 1), Code::changed);  // repeated
    EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
    EXPECT_EQ(bench.put("/5/0/1", ""), Code::changed);
    bench.send(image, 0);
    bench.send(image, 1);
    EXPECT_EQ(bench.push(image), Code::changed);  // from block 0 again
    EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
}

TEST(Package, WhatIsRefusedLeavesStateZero) {
    Bench bench;
    auto damaged = small_image(2);
    damaged[3'000] ^= 1;
    EXPECT_EQ(bench.push(damaged), Code::request_entity_incomplete);
    EXPECT_EQ(bench.state(), "0/5");
    EXPECT_EQ(bench.push(Bytes(5'000, 0x41)), Code::unsupported_content_format);
    EXPECT_EQ(bench.state(), "0/6");
    EXPECT_EQ(bench.push(small_image(2, 0xe8000)), Code::internal_server_error);
    EXPECT_EQ(bench.state(), "0/2");
    EXPECT_EQ(bench.push(small_image(2)), Code::changed);
}

TEST(Package, FormatsOfThePackage) {
    Bench bench;
    const auto image = small_image(2);
    auto message = bench.block_message(image, 0);
    message.remove(coap::OptionNumber::content_format);
    EXPECT_EQ(bench.model.handle(message).answer.message.code, Code::bad_request);
    message.set_format(Format::text);
    EXPECT_EQ(bench.model.handle(message).answer.message.code, Code::not_implemented);
    message = bench.block_message(image, 0);
    message.payload.pop_back();
    EXPECT_EQ(bench.model.handle(message).answer.message.code, Code::bad_request);
    message = bench.block_message(image, 0);
    message.remove(coap::OptionNumber::block1);
    message.add(coap::OptionNumber::block1, Bytes{0x0f});  // SZX 7
    EXPECT_EQ(bench.model.handle(message).answer.message.code, Code::bad_option);
}

TEST(Package, ResetFromEveryState) {
    Bench bench;
    const auto image = small_image(2);
    const std::string nul(1, '\0');
    EXPECT_EQ(bench.put("/5/0/1", ""), Code::changed);
    EXPECT_EQ(bench.state(), "0/0");
    bench.send(image, 0);
    EXPECT_EQ(bench.put("/5/0/1", ""), Code::changed);
    EXPECT_EQ(bench.state(), "0/0");
    bench.push(image);
    EXPECT_EQ(bench.put("/5/0/0", nul, Format::opaque), Code::changed);
    EXPECT_EQ(bench.state(), "0/0");
    EXPECT_EQ(bench.text("/26245/0/9"), "0");
    EXPECT_EQ(bench.push(image), Code::changed);
}

TEST(Resume, AfterARebootTheRestIsEnough) {
    Bench bench;
    const auto image = small_image(2, 20'000);
    for (std::uint32_t num = 0; num < 21; ++num) ASSERT_EQ(bench.send(image, num), Code::continue_);
    bench.reboot();
    EXPECT_EQ(bench.state(), "0/0");
    const auto stored = std::stoul(bench.text("/26245/0/9"));
    EXPECT_EQ(stored, 8'192u);  // whole sectors
    EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(BytesView(image).first(stored))));
    EXPECT_EQ(bench.put("/26245/0/10", "4096"), Code::bad_request);
    EXPECT_EQ(bench.put("/26245/0/10", std::to_string(stored)), Code::changed);
    EXPECT_EQ(bench.text("/26245/0/10"), std::to_string(stored));
    EXPECT_EQ(bench.push(Bytes(image.begin() + static_cast<std::ptrdiff_t>(stored), image.end())), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
    EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
    EXPECT_EQ(bench.text("/26245/0/10"), "0");
}

TEST(Resume, WithoutARebootThePrefixOutlivesAReset) {
    Bench bench;
    const auto image = small_image(2, 20'000);
    for (std::uint32_t num = 0; num < 21; ++num) bench.send(image, num);
    EXPECT_EQ(bench.put("/5/0/1", ""), Code::changed);
    const auto stored = std::stoul(bench.text("/26245/0/9"));
    EXPECT_EQ(stored, 21u * 512);
    EXPECT_EQ(bench.put("/26245/0/10", std::to_string(stored)), Code::changed);
    EXPECT_EQ(bench.push(Bytes(image.begin() + static_cast<std::ptrdiff_t>(stored), image.end())), Code::changed);
    EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
}

TEST(Resume, AnotherPackageStartsAtZero) {
    Bench bench;
    const auto image = small_image(2, 20'000);
    for (std::uint32_t num = 0; num < 21; ++num) bench.send(image, num);
    bench.reboot();
    EXPECT_EQ(bench.push(small_image(3)), Code::changed);
    EXPECT_EQ(bench.text("/5/0/7"), "3.0.0+0");
}

TEST(PowerLoss, AtAnyFlashOperationOfAPushNothingIsSaidAndTheDeviceBoots) {
    const auto image = small_image(2, 9'000);
    for (std::uint64_t n = 0;; ++n) {
        Bench bench;
        bench.board.power().fail_in(n);
        bool silent = false;
        for (std::uint32_t num = 0; num < Bench::blocks(image) && !silent; ++num)
            silent = bench.block(image, num).answer.kind == coap::Answer::Kind::silence;
        EXPECT_EQ(silent, !bench.board.power().on());
        if (!silent) break;  // survived: n is past the last operation
        bench.reboot();
        EXPECT_EQ(bench.text("/3/0/3"), "1.0.0+0");
        const auto stored = std::stoul(bench.text("/26245/0/9"));
        EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(BytesView(image).first(stored)))) << n;
        ASSERT_EQ(bench.put("/26245/0/10", std::to_string(stored)), Code::changed);
        EXPECT_EQ(bench.push(Bytes(image.begin() + static_cast<std::ptrdiff_t>(stored), image.end())), Code::changed)
            << n;
        EXPECT_EQ(bench.opaque("/26245/0/8"), to_bytes(sha256(image)));
    }
}

TEST(Observe, StateChangesAreNotified) {
    Bench bench;
    auto message = coap::make_request(Code::get, "/5/0/3");
    message.token = coap::Token(Bytes{9});
    message.add_uint(coap::OptionNumber::accept, 0);
    message.add_uint(coap::OptionNumber::observe, 0);
    EXPECT_TRUE(bench.model.handle(message).answer.message.option(coap::OptionNumber::observe));
    EXPECT_TRUE(bench.model.notifications().empty());
    bench.send(small_image(2), 0);
    const auto notes = bench.model.notifications();
    ASSERT_EQ(notes.size(), 1u);
    EXPECT_EQ(as_text(notes[0].payload), "1");
    EXPECT_EQ(notes[0].token, message.token);
    EXPECT_TRUE(bench.model.notifications().empty());
}

// ---- quirks ----

TEST(QuirkTable, NamesAreUniqueAndFound) {
    std::set<std::string_view> names;
    std::size_t index = 0;
    for (const auto& info : all_quirks()) {
        EXPECT_TRUE(names.insert(info.name).second) << info.name;
        EXPECT_EQ(static_cast<std::size_t>(info.quirk), index++) << info.name;
        EXPECT_FALSE(info.help.empty());
        const std::string name(info.name);
        const auto set = QuirkSet::parse(std::span(&name, 1));
        ASSERT_TRUE(set);
        EXPECT_TRUE(set->has(info.quirk));
    }
    const std::string wrong = "no-dedupe";
    const auto set = QuirkSet::parse(std::span(&wrong, 1));
    ASSERT_FALSE(set);
    EXPECT_EQ(set.error().code(), Errc::usage);
    EXPECT_EQ(set.error().detail("nearest"), "no-dedup");
}

TEST(Quirks, LastBlock404) {
    Bench bench({Quirk::last_block_404});
    const auto image = small_image(2);
    EXPECT_EQ(bench.push(image), Code::changed);
    EXPECT_EQ(bench.send(image, Bench::blocks(image) - 1), Code::not_found);
    EXPECT_EQ(bench.state(), "2/0");
}

TEST(Quirks, Size1Required) {
    Bench bench({Quirk::size1_required});
    const auto image = small_image(2);
    EXPECT_EQ(bench.push(image, 5, false), Code::changed);
    EXPECT_EQ(bench.state(), "1/0");
    EXPECT_EQ(bench.push(image, 5, true), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
}

TEST(Quirks, WrongSize1) {
    Bench bench;
    const auto image = small_image(2, 2'000);
    auto first = bench.block_message(image, 0);
    first.remove(coap::OptionNumber::size1);
    first.add_uint(coap::OptionNumber::size1, static_cast<std::uint32_t>(image.size() + 100));
    bench.model.handle(first);
    for (std::uint32_t num = 1; num < Bench::blocks(image); ++num) bench.send(image, num);
    EXPECT_EQ(bench.state(), "1/0");
    first.remove(coap::OptionNumber::size1);
    first.add_uint(coap::OptionNumber::size1, 600);
    bench.model.handle(first);
    EXPECT_EQ(bench.send(image, 1), Code::internal_server_error);
}

TEST(Quirks, StuckState1) {
    Bench bench({Quirk::stuck_state_1});
    EXPECT_EQ(bench.push(small_image(2)), Code::changed);
    EXPECT_EQ(bench.state(), "1/0");
}

TEST(Quirks, SmallerSzx) {
    Bench bench({Quirk::smaller_szx});
    const auto image = small_image(2);
    const auto answer = bench.block(image, 0, 6).answer.message;
    EXPECT_EQ(answer.code, Code::continue_);
    EXPECT_EQ(answer.block1(), (coap::Block{0, true, 5}));
    for (std::uint32_t num = 1; num < Bench::blocks(image); ++num) bench.send(image, num, 5);
    EXPECT_EQ(bench.state(), "2/0");
    Bench ignored({Quirk::smaller_szx});
    EXPECT_NE(ignored.push(image, 6), Code::continue_);
    EXPECT_NE(ignored.state(), "2/0");
}

TEST(Quirks, TooLarge) {
    Bench bare({Quirk::too_large_no_hint});
    const auto image = small_image(2);
    EXPECT_EQ(bare.block(image, 0, 5).answer.message.code, Code::request_entity_too_large);
    EXPECT_FALSE(bare.block(image, 0, 5).answer.message.block1());
    EXPECT_EQ(bare.push(image, 4), Code::changed);
    Bench hint({Quirk::too_large_with_hint});
    EXPECT_EQ(hint.block(image, 0, 5).answer.message.block1()->szx, 4);
}

TEST(Quirks, SeparateResponses) {
    const auto image = small_image(2);
    Bench every({Quirk::separate_response});
    const auto reaction = every.block(image, 0);
    EXPECT_EQ(reaction.answer.kind, coap::Answer::Kind::empty_ack);
    ASSERT_TRUE(reaction.later);
    EXPECT_EQ(reaction.later->code, Code::continue_);
    EXPECT_TRUE(every.block(image, 1).later);
    Bench first({Quirk::slow_erase});
    EXPECT_GE(first.block(image, 0).later_after, Milliseconds(5'000));
    EXPECT_FALSE(first.block(image, 1).later);
}

TEST(Quirks, GapEndsTransfer) {
    Bench bench({Quirk::gap_ends_transfer});
    const auto image = small_image(2);
    bench.send(image, 0);
    EXPECT_EQ(bench.send(image, 2), Code::request_entity_incomplete);
    EXPECT_EQ(bench.send(image, 1), Code::not_found);
}

TEST(Quirks, RefuseAfterRetransmission) {
    Bench bench({Quirk::refuse_after_retransmission});
    const auto image = small_image(2);
    bench.send(image, 0);
    EXPECT_EQ(bench.send(image, 0), Code::service_unavailable);
    bench.send(image, 1);
    EXPECT_EQ(bench.send(image, 1), Code::service_unavailable);
    for (std::uint32_t num = 2; num < Bench::blocks(image); ++num) bench.send(image, num);
    EXPECT_EQ(bench.send(image, Bench::blocks(image) - 1), Code::request_entity_incomplete);
    EXPECT_EQ(bench.state(), "2/0");
    EXPECT_FALSE(QuirkSet({Quirk::refuse_after_retransmission}).deduplicates());
}

TEST(Quirks, BusyDuringPush) {
    Bench bench({Quirk::busy_during_push});
    const auto image = small_image(2);
    bench.send(image, 0);
    EXPECT_EQ(bench.get("/5/0/3").answer.message.code, Code::service_unavailable);
    EXPECT_EQ(bench.push(image), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
}

TEST(Quirks, AnAbandonedPushIsBusyUntilItsNextBlock) {
    Bench bench({Quirk::busy_during_push, Quirk::early_end_aborts});
    const auto image = small_image(2);
    for (std::uint32_t num = 0; num < 4; ++num) bench.send(image, num);
    auto anew = bench.block_message(image, 0);
    anew.token = coap::Token(Bytes{9});
    EXPECT_EQ(bench.model.handle(anew).answer.message.code, Code::service_unavailable);
    EXPECT_EQ(bench.send(image, 6), Code::service_unavailable) << "a gap";
    EXPECT_EQ(bench.send(image, 4), Code::continue_);
    auto early = bench.block_message(image, 5);
    early.set_block(coap::OptionNumber::block1, {5, false, 5});
    early.payload = {0xff};
    EXPECT_EQ(bench.model.handle(early).answer.message.code, Code::changed);
    EXPECT_EQ(bench.state(), "0/5");
    EXPECT_EQ(bench.push(image), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
}

TEST(Quirks, SkipsWhatIsWrittenOfWhateverPackage) {
    Bench bench({Quirk::skips_written});
    const auto image = small_image(2, 20'000);
    for (std::uint32_t num = 0; num < 20; ++num) bench.send(image, num);
    bench.reboot();
    EXPECT_EQ(bench.state(), "0/0");
    const auto kept = bench.text("/26245/0/9");
    EXPECT_NE(kept, "0");
    bench.send(image, 0);
    EXPECT_EQ(bench.text("/26245/0/9"), kept) << "it begins behind what it has";
    EXPECT_EQ(bench.push(image), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
    Bench mixed({Quirk::skips_written});
    for (std::uint32_t num = 0; num < 20; ++num) mixed.send(image, num);
    mixed.reboot();
    EXPECT_NE(mixed.push(small_image(3, 20'000)), Code::changed);
    EXPECT_EQ(mixed.state(), "0/5");
    for (std::uint32_t num = 0; num < 20; ++num) mixed.send(image, num);
    EXPECT_EQ(mixed.put("/5/0/1", ""), Code::changed);
    EXPECT_EQ(mixed.push(small_image(3, 20'000)), Code::changed);
}

TEST(Quirks, AlwaysDownloading) {
    Bench bench({Quirk::always_downloading});
    bench.reboot();
    EXPECT_EQ(bench.state(), "1/0");
    EXPECT_EQ(bench.push(small_image(2)), Code::changed);
    EXPECT_EQ(bench.put("/5/0/1", ""), Code::changed);
    EXPECT_EQ(bench.put("/5/0/0", std::string(1, '\0'), Format::opaque), Code::changed);
    EXPECT_EQ(bench.state(), "1/0");
    EXPECT_EQ(bench.post("/5/0/2"), Code::changed);
    EXPECT_EQ(bench.state(), "2/0");
    EXPECT_EQ(bench.post("/5/0/2"), Code::bad_request);
    bench.reboot();
    EXPECT_EQ(bench.text("/3/0/3"), "1.0.0+0");
}

TEST(Quirks, ReadsInBlocks) {
    Bench bench({Quirk::reads_in_blocks});
    const auto first = bench.get("/26245/0/7", Format::opaque).answer.message;
    EXPECT_EQ(first.block2(), (coap::Block{0, true, 0}));
    EXPECT_EQ(bench.get("/5/0/3").answer.message.code, Code::service_unavailable);
    auto rest = coap::make_request(Code::get, "/26245/0/7");
    rest.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(Format::opaque));
    rest.set_block(coap::OptionNumber::block2, {1, false, 0});
    const auto second = bench.model.handle(rest).answer.message;
    EXPECT_EQ(second.block2(), (coap::Block{1, false, 0}));
    EXPECT_EQ(first.payload.size() + second.payload.size(), 32u);
    EXPECT_EQ(bench.get("/5/0/3").answer.message.code, Code::content);
}

TEST(Quirks, RebootInPush) {
    Bench bench({Quirk::reboot_in_push});
    const auto image = small_image(2);
    std::uint32_t num = 0;
    while (bench.block(image, num).afterwards == Afterwards::nothing) ++num;
    EXPECT_GT(num, 5u);
    EXPECT_LT(num, 15u);
    bench.reboot();
    EXPECT_EQ(bench.push(image), Code::changed);
}

TEST(Quirks, VerdictsAfterTheLastBlock) {
    Bench rejecting({Quirk::reject_package});
    EXPECT_EQ(rejecting.push(small_image(2)), Code::changed);
    EXPECT_EQ(rejecting.state(), "0/5");
    Bench anjay({Quirk::bad_package_changed});
    auto damaged = small_image(2);
    damaged[3'000] ^= 1;
    EXPECT_EQ(anjay.push(damaged), Code::changed);
    EXPECT_EQ(anjay.state(), "0/5");
}

TEST(Quirks, Resets) {
    const std::string nul(1, '\0');
    Bench idle({Quirk::reset_in_idle});
    EXPECT_NE(idle.put("/5/0/0", nul, Format::opaque), Code::changed);
    EXPECT_EQ(idle.state(), "0/6");
    EXPECT_NE(idle.put("/5/0/0", "", Format::opaque), Code::changed);
    EXPECT_EQ(idle.state(), "0/8");
    Bench completing({Quirk::nul_completes});
    completing.send(small_image(2), 0);
    completing.put("/5/0/0", nul, Format::opaque);
    EXPECT_EQ(completing.state(), "2/0");
    Bench push_only({Quirk::no_uri_reset});
    EXPECT_EQ(push_only.put("/5/0/1", ""), Code::method_not_allowed);
}

TEST(Quirks, AroundExecute) {
    Bench deferring({Quirk::defer});
    deferring.push(small_image(2));
    EXPECT_EQ(deferring.post("/5/0/2"), Code::changed);
    EXPECT_EQ(deferring.state(), "2/11");
    Bench mute({Quirk::lost_execute_ack});
    mute.push(small_image(2));
    const auto reaction = mute.model.handle(coap::make_request(Code::post, "/5/0/2"));
    EXPECT_EQ(reaction.answer.kind, coap::Answer::Kind::silence);
    mute.reboot();
    EXPECT_EQ(mute.text("/3/0/3"), "2.0.0+0");
    Bench gone({Quirk::silent_after_execute});
    gone.push(small_image(2));
    EXPECT_EQ(gone.model.handle(coap::make_request(Code::post, "/5/0/2")).afterwards, Afterwards::vanish);
    Bench idle({Quirk::executes_without_update});
    idle.push(small_image(2));
    idle.post("/5/0/2");
    idle.reboot();
    EXPECT_EQ(idle.text("/3/0/3"), "1.0.0+0");
    EXPECT_EQ(idle.state(), "0/8");
}

TEST(Quirks, AfterTheReboot) {
    Bench forgetful({Quirk::no_state_persist});
    forgetful.push(small_image(2));
    forgetful.post("/5/0/2");
    forgetful.reboot();
    EXPECT_EQ(forgetful.text("/3/0/3"), "2.0.0+0");
    EXPECT_EQ(forgetful.state(), "0/0");
    Bench partial({Quirk::no_state_persist});
    for (std::uint32_t num = 0; num < 20; ++num) partial.send(small_image(2, 20'000), num);
    partial.reboot();
    EXPECT_EQ(partial.text("/26245/0/9"), "0");
    Bench early({Quirk::self_confirm_result_8});
    early.push(small_image(2));
    early.post("/5/0/2");
    early.reboot();
    EXPECT_EQ(early.state(), "0/8");
    early.reboot();
    EXPECT_EQ(early.text("/3/0/3"), "2.0.0+0");
}

TEST(Quirks, WhatItSaysOfItself) {
    EXPECT_EQ(Bench({Quirk::version_dash}).text("/3/0/3"), "1.0.0-0");
    EXPECT_EQ(Bench({Quirk::version_odd}).text("/3/0/3"), "release 1/0");
    Bench stock({Quirk::no_external_flash_object});
    EXPECT_EQ(stock.get("/26245/0/9").answer.message.code, Code::not_found);
    EXPECT_FALSE(stock.model.links().contains("26245"));
}

}  // namespace
}  // namespace fota::virtdev
