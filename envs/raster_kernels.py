"""The two compiled loops of the rasteriser: which triangle covers a pixel, and its colour there.

Triangles are drawn in homogeneous coordinates (Olano & Greer, "Triangle scan conversion using 2D
homogeneous coordinates", 1997): with corners P = (x w, y w, w), pixel coordinates x, y and depth w,
the cross products of two corners are edge functions that hold on both sides of the camera. So no
triangle is ever clipped: one that passes behind the camera is tested pixel by pixel like any other,
and the same three numbers are its perspective-correct barycentric coordinates times 1/depth.

Two triangles that share an edge compute exactly opposite edge functions there, so there are no
cracks. Everything is evaluated in a fixed order without fast-math: equal input, equal bits.
"""

from typing import no_type_check

from numba import njit


@njit(
    "void(f4[:,::1], i4[:,::1], i8[::1], i8[::1], f8[:,:,::1], b1[::1], f8, f8,"
    " f8[:,::1], f8[:,::1], f4[:,::1], i4[:,::1])",
    cache=True,
    error_model="numpy",
)
@no_type_check
def cover(
    vertices,  # (v, 3) of all meshes, each in its own frame
    faces,  # (f, 3) of all meshes, indices into vertices
    vertex_start,  # (n + 1,) instance i has vertices [vertex_start[i], vertex_start[i + 1])
    face_start,  # (n + 1,)
    to_pixels,  # (n, 3, 4) mesh frame -> (x w, y w, w), with pixel centres at whole x and y
    shown,  # (n,)
    facing,  # 1 draws the faces that look at the camera, -1 those that look away
    near,  # metres
    points,  # (v, 3) scratch
    edges,  # (f, 9) out: three edge functions (a, b, c) of a x + b y + c for drawn faces
    inverse_depth,  # (h, w) in: 1 / far. out: 1 / depth
    owner,  # (h, w) in: -1. out: the face seen
):
    height, width = owner.shape
    largest = 1.0 / near
    for instance in range(len(shown)):
        if not shown[instance]:
            continue
        m = to_pixels[instance]
        for v in range(vertex_start[instance], vertex_start[instance + 1]):
            x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
            for k in range(3):
                points[v, k] = m[k, 0] * x + m[k, 1] * y + m[k, 2] * z + m[k, 3]
        for f in range(face_start[instance], face_start[instance + 1]):
            p, q, r = faces[f, 0], faces[f, 1], faces[f, 2]
            px, py, pw = points[p, 0], points[p, 1], points[p, 2]
            qx, qy, qw = points[q, 0], points[q, 1], points[q, 2]
            rx, ry, rw = points[r, 0], points[r, 1], points[r, 2]
            if pw < near and qw < near and rw < near:
                continue
            a0, b0, c0 = qy * rw - qw * ry, qw * rx - qx * rw, qx * ry - qy * rx
            volume = -facing * (px * a0 + py * b0 + pw * c0)
            if not volume > 0.0:
                continue
            # The box of pixels around the part in front of the near plane.
            left, right, top, bottom = 1e9, -1e9, 1e9, -1e9
            x0, y0, w0 = rx, ry, rw
            for k in range(3):
                if k == 0:
                    x1, y1, w1 = px, py, pw
                elif k == 1:
                    x1, y1, w1 = qx, qy, qw
                else:
                    x1, y1, w1 = rx, ry, rw
                if (w0 < near) != (w1 < near):
                    s = (near - w0) / (w1 - w0)
                    x, y = (x0 + s * (x1 - x0)) / near, (y0 + s * (y1 - y0)) / near
                    left, right = min(left, x), max(right, x)
                    top, bottom = min(top, y), max(bottom, y)
                if w1 >= near:
                    x, y = x1 / w1, y1 / w1
                    left, right = min(left, x), max(right, x)
                    top, bottom = min(top, y), max(bottom, y)
                x0, y0, w0 = x1, y1, w1
            if not (right >= 0.0 and left <= width - 1 and bottom >= 0.0 and top <= height - 1):
                continue
            # One part in a million of slack against the rounding of the divisions above.
            first = int(max(left - 1e-6, -0.5) + 1.0) if left > 0.0 else 0
            last = int(min(right + 1e-6, width - 1.0))
            upper = int(max(top - 1e-6, -0.5) + 1.0) if top > 0.0 else 0
            lower = int(min(bottom + 1e-6, height - 1.0))
            if first > last or upper > lower:
                continue
            sign = -facing
            a0, b0, c0 = sign * a0, sign * b0, sign * c0
            a1, b1 = sign * (ry * pw - rw * py), sign * (rw * px - rx * pw)
            c1 = sign * (rx * py - ry * px)
            a2, b2 = sign * (py * qw - pw * qy), sign * (pw * qx - px * qw)
            c2 = sign * (px * qy - py * qx)
            scale = 1.0 / volume
            seen = False
            for y in range(upper, lower + 1):
                e0, e1, e2 = b0 * y + c0, b1 * y + c1, b2 * y + c2
                for x in range(first, last + 1):
                    i, j, k = a0 * x + e0, a1 * x + e1, a2 * x + e2
                    if i >= 0.0 and j >= 0.0 and k >= 0.0:
                        inverse = (i + j + k) * scale
                        if inverse > inverse_depth[y, x] and inverse <= largest:
                            inverse_depth[y, x] = inverse
                            owner[y, x] = f
                            seen = True
            if seen:
                edges[f, 0], edges[f, 1], edges[f, 2] = a0, b0, c0
                edges[f, 3], edges[f, 4], edges[f, 5] = a1, b1, c1
                edges[f, 6], edges[f, 7], edges[f, 8] = a2, b2, c2


@njit(
    "void(f4[:,::1], i4[:,::1], f8[:,::1], i4[::1], f4[:,:,::1], f4[:,:,::1], f4[::1], f8[:,::1],"
    " f8[:,::1], f8[:,::1], u1[::1], i8[:,::1], f8[::1], f8, f8[:,::1], f4[:,::1], f8[::1],"
    " i4[::1], u1[:,:,::1], f4[:,::1], i4[:,::1])",
    cache=True,
    error_model="numpy",
)
@no_type_check
def shade(
    inverse_depth,  # (h, w) from cover
    owner,  # (h, w) from cover
    edges,  # (f, 9) from cover
    face_instance,  # (f,)
    normals,  # (f, 3, 3) unit, a normal per corner, in the mesh's frame
    uv,  # (f, 3, 2) texture coordinates per corner
    texels,  # (f,) texels of the finest level per metre of surface
    colors,  # (n, 3) in 0..1
    suns,  # (n, 3) direction to the light in the mesh's frame
    ups,  # (n, 3) direction of world z in the mesh's frame
    atlas,  # all texture levels, row by row, finest first
    textures,  # (n, 4) where in the atlas (-1: none), log2 width, log2 height, number of levels
    light,  # (4,) ambient, how much more of it from above, diffuse, diffuse share in shadow
    pixel,  # size of a pixel in metres at one metre of depth
    to_shadow,  # (3, 4): shadow map (x w, y w, w) = depth * (rows[:3] . (x, y, 1)) + rows[3]
    shadow,  # (s, s) 1 / depth of the nearest back faces seen from the light; s = 0 for none
    background,  # (3,) in 0..255
    ids,  # (n,)
    rgb,  # (h, w, 3) out
    depth,  # (h, w) out
    segmentation,  # (h, w) out
):
    height, width = owner.shape
    resolution = shadow.shape[0]
    ambient, from_above, diffuse, in_shadow = light[0], light[1], light[2], light[3]
    for y in range(height):
        for x in range(width):
            f = owner[y, x]
            distance = 1.0 / inverse_depth[y, x]
            depth[y, x] = distance
            if f < 0:
                segmentation[y, x] = -1
                for k in range(3):
                    rgb[y, x, k] = int(background[k] + 0.5)
                continue
            n = face_instance[f]
            segmentation[y, x] = ids[n]
            b0 = edges[f, 0] * x + edges[f, 1] * y + edges[f, 2]
            b1 = edges[f, 3] * x + edges[f, 4] * y + edges[f, 5]
            b2 = edges[f, 6] * x + edges[f, 7] * y + edges[f, 8]
            total = 1.0 / (b0 + b1 + b2)
            b0, b1, b2 = b0 * total, b1 * total, b2 * total
            nx = b0 * normals[f, 0, 0] + b1 * normals[f, 1, 0] + b2 * normals[f, 2, 0]
            ny = b0 * normals[f, 0, 1] + b1 * normals[f, 1, 1] + b2 * normals[f, 2, 1]
            nz = b0 * normals[f, 0, 2] + b1 * normals[f, 1, 2] + b2 * normals[f, 2, 2]
            up = nx * ups[n, 0] + ny * ups[n, 1] + nz * ups[n, 2]
            sun = nx * suns[n, 0] + ny * suns[n, 1] + nz * suns[n, 2]
            bright = ambient * (1.0 + from_above * up)
            if sun > 0.0:
                lit = 1.0
                if resolution > 0:
                    sw = (
                        distance * (to_shadow[2, 0] * x + to_shadow[2, 1] * y + to_shadow[2, 2])
                        + to_shadow[2, 3]
                    )
                    inverse = 1.0 / sw
                    sx = inverse * (
                        distance * (to_shadow[0, 0] * x + to_shadow[0, 1] * y + to_shadow[0, 2])
                        + to_shadow[0, 3]
                    )
                    sy = inverse * (
                        distance * (to_shadow[1, 0] * x + to_shadow[1, 1] * y + to_shadow[1, 2])
                        + to_shadow[1, 3]
                    )
                    if 0.0 <= sx < resolution - 1 and 0.0 <= sy < resolution - 1:
                        i, j = int(sx), int(sy)
                        p, q = sx - i, sy - j
                        limit = inverse * 1.0001  # closer to the light than the surface by 1e-4
                        blocked = 0.0
                        if shadow[j, i] > limit:
                            blocked += (1.0 - p) * (1.0 - q)
                        if shadow[j, i + 1] > limit:
                            blocked += p * (1.0 - q)
                        if shadow[j + 1, i] > limit:
                            blocked += (1.0 - p) * q
                        if shadow[j + 1, i + 1] > limit:
                            blocked += p * q
                        lit = 1.0 - blocked * (1.0 - in_shadow)
                bright += diffuse * sun * lit
            red, green, blue = colors[n, 0] * bright, colors[n, 1] * bright, colors[n, 2] * bright
            start = textures[n, 0]
            if start < 0:
                red, green, blue = 255.0 * red, 255.0 * green, 255.0 * blue
            else:
                # The level whose texels are about as large as the pixel, then bilinear in it.
                footprint = texels[f] * distance * pixel
                wide, high, level = textures[n, 1], textures[n, 2], 1
                while footprint > 1.5 and level < textures[n, 3]:
                    start += 3 << (wide + high)
                    footprint *= 0.5
                    level += 1
                    wide -= 1
                    high -= 1
                columns, rows = 1 << wide, 1 << high
                tu = b0 * uv[f, 0, 0] + b1 * uv[f, 1, 0] + b2 * uv[f, 2, 0]
                tv = b0 * uv[f, 0, 1] + b1 * uv[f, 1, 1] + b2 * uv[f, 2, 1]
                # An offset keeps the truncation below a floor for coordinates down to -4096.
                tu = (tu + 4096.0) * columns - 0.5
                tv = (4096.0 - tv) * rows - 0.5
                i, j = int(tu), int(tv)
                p, q = tu - i, tv - j
                i0, j0 = i & (columns - 1), j & (rows - 1)
                i1, j1 = (i + 1) & (columns - 1), (j + 1) & (rows - 1)
                at00, at01 = start + 3 * (j0 * columns + i0), start + 3 * (j0 * columns + i1)
                at10, at11 = start + 3 * (j1 * columns + i0), start + 3 * (j1 * columns + i1)
                w00, w01, w10, w11 = (1.0 - p) * (1.0 - q), p * (1.0 - q), (1.0 - p) * q, p * q
                red *= w00 * atlas[at00] + w01 * atlas[at01] + w10 * atlas[at10] + w11 * atlas[at11]
                at00, at01, at10, at11 = at00 + 1, at01 + 1, at10 + 1, at11 + 1
                green *= (
                    w00 * atlas[at00] + w01 * atlas[at01] + w10 * atlas[at10] + w11 * atlas[at11]
                )
                at00, at01, at10, at11 = at00 + 1, at01 + 1, at10 + 1, at11 + 1
                blue *= (
                    w00 * atlas[at00] + w01 * atlas[at01] + w10 * atlas[at10] + w11 * atlas[at11]
                )
            rgb[y, x, 0] = int(min(red, 255.0) + 0.5)
            rgb[y, x, 1] = int(min(green, 255.0) + 0.5)
            rgb[y, x, 2] = int(min(blue, 255.0) + 0.5)
