#include "coap/block2_server.hpp"

#include <gtest/gtest.h>

#include <functional>

using namespace fota;
using namespace fota::coap;

namespace {

const Bytes body_bytes = [] {
    Bytes out(1'300);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(i * 7);
    return out;
}();
const Bytes etag{1, 2, 3, 4};

Block2Answer get(std::optional<Block> block, const std::function<void(Message&)>& more = {}) {
    auto request = make_request(Code::get, "/fw/x");
    if (block) request.set_block(OptionNumber::block2, *block);
    if (more) more(request);
    return serve_block2(request, {body_bytes, etag});
}

}  // namespace

TEST(Block2Server, EverySizeYieldsTheWholeBodyFromEachBlockAlone) {
    for (std::uint8_t szx = 0; szx <= 6; ++szx) {
        Bytes all;
        for (std::uint32_t num = 0;; ++num) {
            const auto answer = get(Block{num, false, szx});
            ASSERT_EQ(answer.message.code, Code::content);
            const auto block = answer.message.block2();
            ASSERT_TRUE(block);
            EXPECT_EQ(block->num, num);
            EXPECT_EQ(block->szx, szx);
            EXPECT_EQ(answer.message.option(OptionNumber::etag).has_value(), true);
            append(all, answer.message.payload);
            if (!block->more) break;
            EXPECT_EQ(answer.message.payload.size(), block->size());
        }
        EXPECT_EQ(all, body_bytes) << "szx " << int{szx};
    }
}

TEST(Block2Server, WithoutBlock2ItChoosesAndTellsTheSize) {
    const auto answer = get(std::nullopt);
    EXPECT_EQ(answer.message.block2(), (Block{0, true, 5}));
    EXPECT_EQ(answer.message.payload.size(), 512u);
    EXPECT_EQ(answer.message.uint_option(OptionNumber::size2), 1'300u);
    EXPECT_EQ(get(Block{1, false, 5}).message.uint_option(OptionNumber::size2), std::nullopt);
    const auto asked = get(Block{1, false, 5}, [](Message& request) { request.add_uint(OptionNumber::size2, 0); });
    EXPECT_EQ(asked.message.uint_option(OptionNumber::size2), 1'300u);
}

TEST(Block2Server, AKnownEtagIsValid) {
    const auto valid = get(std::nullopt, [](Message& request) { request.add(OptionNumber::etag, etag); });
    EXPECT_EQ(valid.message.code, Code::valid);
    EXPECT_TRUE(valid.message.payload.empty());
    EXPECT_FALSE(valid.block);
    const auto other = get(std::nullopt, [](Message& request) { request.add(OptionNumber::etag, Bytes{9}); });
    EXPECT_EQ(other.message.code, Code::content);
}

TEST(Block2Server, RefusesWhatItCannotServe) {
    EXPECT_EQ(get(Block{3, false, 5}).message.code, Code::bad_request);  // 1,300 bytes end in block 2
    EXPECT_EQ(get(Block{max_block_num, false, 6}).message.code, Code::bad_request);
    const auto with = [](OptionNumber number, Bytes value) {
        return get(std::nullopt, [&](Message& request) { request.add(number, value); }).message.code;
    };
    EXPECT_EQ(with(OptionNumber::block2, Bytes{0x07}), Code::bad_request);  // the reserved SZX 7
    EXPECT_EQ(with(OptionNumber::block2, Bytes(4, 1)), Code::bad_request);  // longer than 3 bytes
    EXPECT_EQ(with(OptionNumber::if_match, Bytes{1}), Code::bad_option);
    EXPECT_EQ(with(OptionNumber::block1, Bytes{0x06}), Code::bad_option);
    EXPECT_EQ(with(static_cast<OptionNumber>(4'097), Bytes{}), Code::bad_option);
    EXPECT_EQ(with(static_cast<OptionNumber>(4'098), Bytes{}), Code::content);  // elective: ignored
    EXPECT_EQ(with(OptionNumber::uri_query, Bytes{'x'}), Code::content);
    EXPECT_EQ(with(OptionNumber::accept, Bytes{50}), Code::not_acceptable);
    auto put = make_request(Code::put, "/fw/x");
    EXPECT_EQ(serve_block2(put, {body_bytes, etag}).message.code, Code::method_not_allowed);
}
