"""The compiled loop that colours a picture: light, shadow and texture of the face in a pixel."""

from typing import no_type_check

import numpy as np

from firsthand.common.njit import njit


@njit(
    "void(f4[:,::1], i4[:,::1], f8[:,::1], i4[::1], f4[:,:,::1], f4[:,:,::1], f4[::1], f8[:,::1],"
    " f8[:,:,::1], u4[::1], i8[:,::1], f8[::1], f8, f8[:,::1], f4[:,::1], u1[::1],"
    " i4[::1], b1[::1], b1[::1], i4[:,::1], i4[:,::1], u1[:,:,::1], f4[:,::1], i4[:,::1])",
    error_model="numpy",
)
@no_type_check
def shade_pixels(
    inverse_depth,  # (h, w) from cover
    owner,  # (h, w) from cover
    edges,  # (f, 9) from cover
    face_instance,  # (f,)
    normals,  # (f, 3, 3) unit, a normal per corner, in the mesh's frame
    uv,  # (f, 3, 2) texture coordinates per corner
    texels,  # (f,) texels of the finest level per metre of surface
    colors,  # (n, 3) in 0..1
    poses,  # (n, 4, 4) mesh frame -> world
    atlas,  # all texture levels, row by row, finest first; a texel is red + green << 8 + blue << 16
    textures,  # (n, 4) where in the atlas (-1: none), log2 width, log2 height, number of levels
    light,  # (7,) ambient, how much more of it from above, diffuse, its share in shadow, direction
    pixel,  # size of a pixel in metres at one metre of depth
    to_shadow,  # (3, 4): shadow map (x w, y w, w) = depth * (rows[:3] . (x, y, 1)) + rows[3]
    shadow,  # (s, s) 1 / depth of the nearest back faces seen from the light; s = 0 for none
    background,  # (3,)
    ids,  # (n,)
    changed,  # (n,) what must be shaded anew
    shadow_changed,  # (s * s,) where the shadow must
    known,  # (h, w) in and out: the face that is shown already
    spots,  # (h, w) in and out: the shadow's texel that it was lit by, -1 for none
    rgb,  # (h, w, 3) in and out
    depth,  # (h, w) in and out
    segmentation,  # (h, w) in and out
):
    height, width = owner.shape
    last = shadow.shape[0] - 1
    ambient, from_above, diffuse = light[0], light[1], light[2]
    blocking, lx, ly, lz = 1.0 - light[3], light[4], light[5], light[6]
    # What the loop needs lives in scalars: the compiler must assume that storing a pixel may
    # change any array.
    m00, m01, m02, m03 = to_shadow[0, 0], to_shadow[0, 1], to_shadow[0, 2], to_shadow[0, 3]
    m10, m11, m12, m13 = to_shadow[1, 0], to_shadow[1, 1], to_shadow[1, 2], to_shadow[1, 3]
    m20, m21, m22, m23 = to_shadow[2, 0], to_shadow[2, 1], to_shadow[2, 2], to_shadow[2, 3]
    before, instance = -1, -1
    a0 = a1 = a2 = c0 = c1 = c2 = 0.0
    sx = sy = sz = ux = uy = uz = 0.0
    sky0 = sky1 = sky2 = sun0 = sun1 = sun2 = 0.0
    u0 = u1 = u2 = v0 = v1 = v2 = density = slope = red = green = blue = 0.0
    origin = wide0 = high0 = levels = 0
    seen = -1
    for y in range(height):
        before = -1
        row0, row1, row2 = m01 * y + m02, m11 * y + m12, m21 * y + m22
        for x in range(width):
            f = owner[y, x]
            if f == known[y, x]:
                if f < 0:
                    continue
                spot = spots[y, x]
                if not changed[face_instance[f]] and (spot < 0 or not shadow_changed[spot]):
                    continue
            known[y, x] = f
            spots[y, x] = -1
            distance = 1.0 / inverse_depth[y, x]
            depth[y, x] = distance
            if f < 0:
                segmentation[y, x] = -1
                rgb[y, x, 0], rgb[y, x, 1], rgb[y, x, 2] = background
                continue
            if f != before:  # a run of pixels of one face shares what does not vary on it
                before = f
                a0, a1, a2 = edges[f, 0], edges[f, 3], edges[f, 6]
                c0 = edges[f, 1] * y + edges[f, 2]
                c1 = edges[f, 4] * y + edges[f, 5]
                c2 = edges[f, 7] * y + edges[f, 8]
                if face_instance[f] != instance:
                    instance = face_instance[f]
                    seen = ids[instance]
                    red, green, blue = colors[instance]
                    origin, wide0, high0, levels = textures[instance]
                    pose = poses[instance]
                    sx = lx * pose[0, 0] + ly * pose[1, 0] + lz * pose[2, 0]  # in the mesh's frame
                    sy = lx * pose[0, 1] + ly * pose[1, 1] + lz * pose[2, 1]
                    sz = lx * pose[0, 2] + ly * pose[1, 2] + lz * pose[2, 2]
                    ux, uy, uz = pose[2, 0], pose[2, 1], pose[2, 2]
                n = normals[f]
                sun0 = n[0, 0] * sx + n[0, 1] * sy + n[0, 2] * sz
                sun1 = n[1, 0] * sx + n[1, 1] * sy + n[1, 2] * sz
                sun2 = n[2, 0] * sx + n[2, 1] * sy + n[2, 2] * sz
                sky0 = ambient + from_above * (n[0, 0] * ux + n[0, 1] * uy + n[0, 2] * uz)
                sky1 = ambient + from_above * (n[1, 0] * ux + n[1, 1] * uy + n[1, 2] * uz)
                sky2 = ambient + from_above * (n[2, 0] * ux + n[2, 1] * uy + n[2, 2] * uz)
                if origin >= 0:
                    u0, u1, u2 = uv[f, 0, 0], uv[f, 1, 0], uv[f, 2, 0]
                    v0, v1, v2 = uv[f, 0, 1], uv[f, 1, 1], uv[f, 2, 1]
                    density = (texels[f] * pixel) ** 2
                    b = edges[f, 1] + edges[f, 4] + edges[f, 7]
                    slope = np.sqrt((a0 + a1 + a2) ** 2 + b * b) / pixel
            segmentation[y, x] = seen
            b0, b1, b2 = (
                (a0 * x + c0) * distance,
                (a1 * x + c1) * distance,
                (a2 * x + c2) * distance,
            )
            bright = b0 * sky0 + b1 * sky1 + b2 * sky2
            sun = b0 * sun0 + b1 * sun1 + b2 * sun2
            if sun > 0.0:
                if last > 0:
                    inverse = 1.0 / (distance * (m20 * x + row2) + m23)
                    across = (distance * (m00 * x + row0) + m03) * inverse
                    down = (distance * (m10 * x + row1) + m13) * inverse
                    if 0.0 <= across < last and 0.0 <= down < last:
                        i, j = np.uint32(across), np.uint32(down)
                        spots[y, x] = np.int32(j * (last + 1) + i)
                        p, q = across - i, down - j
                        limit = inverse * 1.0001  # this much closer to the light than the surface
                        blocked = (1.0 - p) * (1.0 - q) * (shadow[j, i] > limit)
                        blocked += p * (1.0 - q) * (shadow[j, i + 1] > limit)
                        blocked += (1.0 - p) * q * (shadow[j + 1, i] > limit)
                        blocked += p * q * (shadow[j + 1, i + 1] > limit)
                        sun *= 1.0 - blocked * blocking
                bright += diffuse * sun
            if origin < 0:
                bright *= 255.0
                rgb[y, x, 0] = int(min(red * bright, 255.0) + 0.5)
                rgb[y, x, 1] = int(min(green * bright, 255.0) + 0.5)
                rgb[y, x, 2] = int(min(blue * bright, 255.0) + 0.5)
                continue
            # The texture level whose texels cover about as much as the pixel does, stretched by
            # the slope of the surface; bilinear in it.
            footprint = density * distance * distance * max(1.0, slope * distance)
            start, wide, high, level = origin, wide0, high0, 1
            while footprint > 2.0 and level < levels:
                start += 1 << (wide + high)
                footprint *= 0.25
                level += 1
                wide -= 1
                high -= 1
            columns, rows = 1 << wide, 1 << high
            # In 256ths of a texel; the offset makes truncation a floor down to -4096 tiles.
            tu = int((b0 * u0 + b1 * u1 + b2 * u2 + 4096.0) * (256.0 * columns)) - 128
            tv = int((4096.0 - b0 * v0 - b1 * v1 - b2 * v2) * (256.0 * rows)) - 128
            p, q = tu & 255, tv & 255
            i, j = (tu >> 8) & (columns - 1), (tv >> 8) & (rows - 1)
            i1, j0, j1 = (i + 1) & (columns - 1), start + (j << wide), (j + 1) & (rows - 1)
            j1 = start + (j1 << wide)
            t00, t01 = np.int64(atlas[j0 + i]), np.int64(atlas[j0 + i1])
            t10, t11 = np.int64(atlas[j1 + i]), np.int64(atlas[j1 + i1])
            w11 = (p * q) >> 8
            w01, w10 = p - w11, q - w11
            w00 = 256 - p - w10
            # Red and blue together: the products of 8-bit lanes with weights that sum to 256 fit.
            outer = (
                (t00 & 0xFF00FF) * w00
                + (t01 & 0xFF00FF) * w01
                + (t10 & 0xFF00FF) * w10
                + (t11 & 0xFF00FF) * w11
            )
            middle = (
                (t00 & 0xFF00) * w00
                + (t01 & 0xFF00) * w01
                + (t10 & 0xFF00) * w10
                + (t11 & 0xFF00) * w11
            )
            bright *= 1.0 / 256.0
            rgb[y, x, 0] = int(min(red * bright * (outer & 0xFFFF), 255.0) + 0.5)
            rgb[y, x, 1] = int(min(green * bright * (middle >> 8), 255.0) + 0.5)
            rgb[y, x, 2] = int(min(blue * bright * (outer >> 16), 255.0) + 0.5)
