#include "image/dfu_zip.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

struct Entry {
    std::string name;
    Bytes bytes;
    unsigned type = AE_IFREG;
};

Bytes zip(const std::vector<Entry>& entries, const char* options = nullptr) {
    Bytes out(16 << 20);
    std::size_t used = 0;
    auto* writer = archive_write_new();
    archive_write_set_format_zip(writer);
    if (options != nullptr) archive_write_set_options(writer, options);
    if (archive_write_open_memory(writer, out.data(), out.size(), &used) != ARCHIVE_OK) throw std::bad_alloc();
    for (const auto& each : entries) {
        auto* entry = archive_entry_new();
        archive_entry_set_pathname(entry, each.name.c_str());
        archive_entry_set_filetype(entry, each.type);
        archive_entry_set_perm(entry, 0644);
        if (each.type == AE_IFLNK) archive_entry_set_symlink(entry, "/etc/passwd");
        if (each.type == AE_IFREG) archive_entry_set_size(entry, static_cast<la_int64_t>(each.bytes.size()));
        archive_write_header(writer, entry);
        if (each.type == AE_IFREG) archive_write_data(writer, each.bytes.data(), each.bytes.size());
        archive_entry_free(entry);
    }
    archive_write_free(writer);
    out.resize(used);
    return out;
}

Entry manifest_of(const std::string& files) {
    return {"manifest.json",
            to_bytes(as_bytes(R"({"format-version":0,"time":1,"files":[)" + files + R"(],"name":"app"})"))};
}

std::string refusal(BytesView bytes) {
    const auto result = read_dfu_zip(bytes);
    if (result) return "accepted";
    EXPECT_EQ(result.error().code(), Errc::image_malformed);
    return result.error().message();
}

const std::string application =
    R"({"type":"application","board":"nrf9160dk","soc":"nRF9160","load_address":49664,"image_index":"0",)"
    R"("slot_index_primary":"1","slot_index_secondary":"2","version_MCUBOOT":"1.2.3+4","size":4758,"file":"app_update.bin"})";

TEST(DfuZip, GivesTheApplication) {
    const auto image = load("img/p256-4k.bin");
    const auto file = zip({{"app_update.bin", image}, manifest_of(application)});
    EXPECT_TRUE(looks_like_zip(file));
    EXPECT_FALSE(looks_like_zip(image));
    const auto package = read_dfu_zip(file);
    ASSERT_TRUE(package) << package.error().text();
    EXPECT_EQ(package->name, "app");
    const auto* app = package->application().value();
    EXPECT_EQ(app->file, "app_update.bin");
    EXPECT_EQ(app->board, "nrf9160dk");
    EXPECT_EQ(app->version, "1.2.3+4");
    EXPECT_EQ(app->image_index, 0u);
    EXPECT_TRUE(app->bytes == image);
    EXPECT_TRUE(read_dfu_zip(zip({manifest_of(application), {"app_update.bin", image}}, "compression=store")));
}

TEST(DfuZip, ChoosesAmongSeveralOrSaysThatItCannot) {
    const Bytes one{1};
    const Bytes two{2};
    const auto entry = [](const char* file, const char* type, int index) {
        return fmt::format(R"({{"file":"{}","type":"{}","image_index":{}}})", file, type, index);
    };
    const auto choose = [&](const std::string& files) {
        const auto package = read_dfu_zip(zip({{"a.bin", one}, {"b.bin", two}, manifest_of(files)})).value();
        const auto app = package.application();
        return app ? (*app)->file : app.error().message();
    };
    EXPECT_EQ(choose(entry("a.bin", "application", 0) + "," + entry("b.bin", "network", 1)), "a.bin");
    EXPECT_EQ(choose(entry("a.bin", "mcuboot", 0) + "," + entry("b.bin", "application", 0)), "b.bin");
    EXPECT_EQ(choose(entry("b.bin", "x", 1)), "b.bin") << "the only one";
    EXPECT_EQ(choose(entry("a.bin", "mcuboot", 0) + "," + entry("b.bin", "mcuboot", 0)),
              "expected one application image in the package, found 2 among a.bin, b.bin: unpack it and name the file");
}

TEST(DfuZip, RefusesHostilePackages) {
    const auto image = load("img/p256-4k.bin");
    const Entry app{"app_update.bin", image};
    const auto manifest = manifest_of(application);
    EXPECT_EQ(refusal({}), "expected a zip archive, found something else");
    EXPECT_EQ(refusal(zip({app})), "expected a manifest.json in the package, found none");
    EXPECT_EQ(refusal(zip({manifest})), "expected the file app_update.bin of the manifest in the package, found none");
    EXPECT_EQ(refusal(zip({{"app_update.bin", Bytes(10)}, manifest})),
              "expected 4758 bytes in app_update.bin, as the manifest says, found 10");
    EXPECT_EQ(refusal(zip({app, {"manifest.json", Bytes{'{'}}})),
              "expected a manifest.json with 1 to 64 \"files\", found text that is no JSON");
    for (const auto* text : {"{}", "[]", "{\"files\":3}", "{\"files\":[]}", "{\"files\":{}}"})
        EXPECT_NE(refusal(zip({app, {"manifest.json", to_bytes(as_bytes(text))}})).find("another structure"),
                  std::string::npos);
    for (const auto* files : {"3", "{}", R"({"file":7})", R"({"file":""})"})
        EXPECT_NE(refusal(zip({app, manifest_of(files)})).find("found one without"), std::string::npos);
    EXPECT_NE(refusal(zip({app, {"manifest.json", Bytes(100'000, '[')}})).find("at most 65536 bytes"),
              std::string::npos);
    EXPECT_NE(refusal(zip({app, {"manifest.json", Bytes(60'000, '[')}})).find("no JSON"), std::string::npos);
    for (const auto* name : {"../app.bin", "/etc/passwd", "a/../../b", "a/..", "..", "c:\\x"})
        EXPECT_NE(refusal(zip({{name, Bytes(1)}, app, manifest})).find("expected file names below the package"),
                  std::string::npos)
            << name;
    EXPECT_NE(refusal(zip({app, app, manifest})).find("app_update.bin twice"), std::string::npos);
    EXPECT_NE(refusal(zip({{"link", {}, AE_IFLNK}, app, manifest})).find("of another kind"), std::string::npos);
    std::vector<Entry> many{app, manifest};
    for (int i = 0; i < 63; ++i) many.push_back({"f" + std::to_string(i), {}});
    EXPECT_NE(refusal(zip(many)).find("at most 64 files"), std::string::npos);
    many.pop_back();
    EXPECT_EQ(refusal(zip(many)), "accepted");
    EXPECT_NE(refusal(zip({{"zeros", Bytes(65 << 20)}, app, manifest})).find("unpacks to at most"), std::string::npos);
}

TEST(DfuZip, DamageIsRefusedOrHarmless) {
    const auto good = zip({{"app_update.bin", load("img/p256-4k.bin")}, manifest_of(application)});
    std::mt19937 random(1);
    for (int i = 0; i < 500; ++i) {
        auto bad = good;
        bad[random() % bad.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
        if (random() % 4 == 0) bad.resize(random() % bad.size());
        const auto result = read_dfu_zip(bad);
        if (!result) {
            EXPECT_EQ(result.error().code(), Errc::image_malformed);
        }
    }
}

}  // namespace
}  // namespace fota::image
