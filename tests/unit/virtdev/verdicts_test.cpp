// The model against the real bootloader: for each reference image, what boot_go() did with it
// (tests/data/mcuboot/manifest.json).
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "image/image.hpp"
#include "image/verify.hpp"
#include "unit/virtdev/test_image.hpp"
#include "virtdev/board.hpp"

namespace fota::virtdev {
namespace {

Bytes load(const std::string& name) {
    std::ifstream file(std::string(TEST_DATA_DIR) + "/mcuboot/" + name, std::ios::binary);
    EXPECT_TRUE(file) << name;
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

/// A bootloader that trusts `keys`; the old image of the tests carries a hash only and passes as well.
ImageCheck trusting(std::vector<image::PublicKey> keys, Bytes old_image) {
    return [keys = std::move(keys), old_image = std::move(old_image)](BytesView bytes) -> Result<void> {
        if (std::ranges::equal(bytes, old_image)) return {};
        TRY(auto parsed, image::parse(bytes));
        TRY_VOID(image::verify(bytes, parsed, keys));
        return {};
    };
}

TEST(Verdicts, DamagedImagesAsTheRealBootloaderJudgedThem) {
    const auto manifest = nlohmann::json::parse(load("manifest.json"));
    const Bytes old_image = test::make_image(0, 3000);
    int judged = 0;
    for (const auto& entry : manifest.at("bad")) {
        const std::string name = entry.at("name");
        SCOPED_TRACE(name);
        const Bytes file = load(entry.at("file"));
        auto key = image::PrivateKey::parse(load(entry.at("key")));
        ASSERT_TRUE(key) << key.error().text();
        Board board({.primary_size = 0x40000, .secondary_size = 0x40000, .max_sectors = 128},
                    trusting({key->public_key()}, old_image));
        ASSERT_TRUE(board.flash_image(old_image));
        Bytes padded = file;
        padded.resize((file.size() + 3) / 4 * 4, 0xff);
        ASSERT_TRUE(board.secondary().program(0, padded));
        ASSERT_TRUE(board.mark_pending(false));
        auto boot = board.reboot();
        ASSERT_TRUE(boot) << boot.error().text();
        const bool updated = entry.at("bootloader_secondary").at("result").get<std::string>().starts_with("UPDATED");
        EXPECT_TRUE(boot->booted);
        EXPECT_EQ(boot->swap == Swap::test, updated) << boot->log;
        judged++;
    }
    EXPECT_GT(judged, 20);
}

}  // namespace
}  // namespace fota::virtdev
