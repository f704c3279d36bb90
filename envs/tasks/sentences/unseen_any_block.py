"""Paraphrases about any block, with verbs that never occur in training; see
`envs.tasks.instructions`."""

UNSEEN = {
    "place_in_slider": """
        set the block down in the cabinet
        lay the block on the shelf
        deposit the cube behind the sliding door
        stow the block in the sliding cabinet
        drop the block onto the shelf
        leave the cube inside the cabinet
        park the block on the shelf of the cabinet
        deliver the block to the sliding cabinet
        tuck the cube away behind the sliding door
        let the block rest in the cabinet
        could you set that block down on the shelf?
        release the cube over the shelf
        transfer the block from the gripper to the cabinet
        slip the block into the sliding cabinet
        stash the cube in the cabinet
        I want the block to lie on the shelf
        house the block in the compartment of the cabinet
        bring the block into the cabinet and let go of it
        insert the cube into the sliding cabinet
        unhand the block inside the cabinet
        load the shelf with the block that you carry
        hand the block over to the cabinet
        rest the cube on the floor of the cabinet
        let go of the block once it is in the cabinet
        ease the block down behind the sliding door
        file the cube away on the shelf
        keep the block in the sliding cabinet from now on
        carry the block to the shelf and leave it there
        the cube should end up in the cabinet
        would you please stow the cube behind the door?
        hide the block in the cabinet
        position the cube on the shelf
        settle the block in the sliding cabinet
        lower the cube onto the shelf
        dump the block in the cabinet
        free the gripper by leaving the block on the shelf
        have the cube lie in the cabinet
        fill the compartment behind the door with the block
        take the block over to the shelf and release it
        get the cube into the sliding cabinet
        install the block on the cabinet's shelf
        now lay down the block in the cabinet
    """,
    "place_in_drawer": """
        set the block down in the drawer
        lay the block inside the drawer
        deposit the cube in the drawer
        stow the block in the desk drawer
        drop the block into the drawer
        leave the cube inside the drawer
        park the block in the open drawer
        deliver the block to the drawer
        tuck the cube away in the drawer
        let the block rest in the drawer
        could you set that block down in the drawer?
        release the cube over the drawer
        transfer the block from the gripper to the drawer
        slip the block into the drawer
        stash the cube in the drawer
        I want the block to lie in the drawer
        house the block in the drawer of the desk
        bring the block over the drawer and let go of it
        insert the cube into the open drawer
        unhand the block inside the drawer
        load the drawer with the block that you carry
        hand the block over to the drawer
        rest the cube on the bottom of the drawer
        let go of the block once it is in the drawer
        ease the block down into the drawer
        file the cube away in the drawer
        keep the block in the drawer from now on
        carry the block to the drawer and leave it there
        the cube should end up in the drawer
        would you please stow the cube in the drawer?
        hide the block in the drawer
        position the cube inside the drawer
        settle the block in the drawer
        lower the cube into the drawer
        dump the block in the drawer
        free the gripper by leaving the block in the drawer
        have the cube lie in the drawer
        fill the drawer with the block in your gripper
        take the block over to the drawer and release it
        get the cube into the drawer
        let the block fall into the drawer from the gripper
        now lay down the block in the drawer
    """,
    "stack_block": """
        pile the block on another one
        set the block down on top of another
        lay your cube on a second block
        rest the block on one of the others
        balance the grasped block on another cube
        build a tower of two blocks
        top one of the blocks with the cube that you carry
        drop the cube onto another block
        position the block above another and let go
        mount the cube on a block
        could you pile those blocks up?
        add the block in your gripper to the top of another
        lower the cube onto a block
        deposit the block on top of another one
        make a tower with the block that you carry
        I want one block to lie upon the other
        park your cube on top of a block
        let the block come to rest on another cube
        heap the two cubes up
        construct a tower out of two cubes
        set one cube upon another
        leave the block on top of a different one
        find another block and lay this one on it
        release the cube right above another block
        pile up the cubes
        bring the block over another one and set it down
        the cube you carry goes on top of a block
        arrange the blocks one above the other
        assemble a pile of two blocks
        would you please set your block on another?
        cap a block with the cube in the gripper
        layer the cubes one upon the other
        rest what you are carrying on another block
        use another block as the base for yours
        transfer the cube onto the top of a block
        lay the held block across another one
        cover one cube with the other
        get the block to stay on top of another
        erect a tower from your block and another
        settle the cube on one of the blocks
        carry the block to another one and pile it up
        now pile your cube onto a block
    """,
    "unstack_block": """
        knock the upper block down
        push the top cube off the lower one
        separate the two blocks that lie on each other
        dismantle the tower
        topple the tower of blocks
        clear the top off the lower block
        pull down the block that rests on the other
        slide the upper cube off the pile
        split the pile of blocks
        undo the pile
        could you knock the top cube off?
        break up the tower of cubes
        tip the upper block over the side
        shift the top block off the one below
        sweep the cube off the other cube
        I want no block to lie on another
        get the top cube down from the tower
        shove the upper block down to the table
        bring the topmost block down
        nudge the top block until it falls from the other
        destroy the tower
        disassemble the pile of cubes
        lift the upper cube off the lower
        let the top block come down
        free the lower block from the one above it
        lower the topmost cube to the desk
        unpile the cubes
        the tower has to go, knock off its top
        drive the upper block off the pile
        would you please pull the tower down?
        uncover the lower cube
        raise the top block off the other one
        dislodge the block that lies above
        detach the upper cube from the pile
        leave the two blocks side by side instead of piled up
        flatten the pile
        set the upper block down beside the lower
        relieve the lower block of its load
        throw the top cube off
        demolish the pile of two blocks
        part the two piled cubes
        now knock down the tower
    """,
    "push_into_drawer": """
        shove the block into the drawer
        nudge the block over the edge into the drawer
        sweep the cube from the table into the drawer
        tip the block off the desk into the open drawer
        drive the cube toward the front until it falls into the drawer
        make a block drop from the table into the drawer
        prod the block until the drawer has it
        send the cube over the edge into the drawer
        brush the block down into the drawer
        topple the block off the table top into the drawer
        could you shove that block into the drawer?
        edge the cube forward so that it falls in the drawer
        let the block fall off the desk into the drawer
        herd the cube into the open drawer
        get the block into the drawer by shoving it
        bump the cube off the table so that it ends up in the drawer
        scoot the block over the rim of the table into the drawer
        I want the block to tumble into the drawer
        propel the cube into the drawer below
        force a block over the edge of the desk and into the drawer
        bring the block to the edge and let it drop into the drawer
        make the cube tumble down into the drawer
        give the block a shove so that the drawer catches it
        move the block along the desk until it drops into the drawer
        sweep a cube off the desk and into the drawer
        have the block glide off the table into the drawer
        guide the cube over the edge so that it lands in the drawer
        the drawer should catch the block that you shove off the desk
        boot the cube into the drawer
        would you please shove the cube into the drawer?
        steer the block across the table and down into the drawer
        clear the block off the table into the drawer
        thrust the cube forward into the open drawer
        poke the block until it tips into the drawer
        shuffle the cube to the front and over into the drawer
        drop the block into the drawer by nudging it off the desk
        coax the block across the edge and down into the drawer
        draw the cube to the edge so that it falls into the drawer
        let the drawer swallow the block from the table
        drag the block over the front edge into the drawer
        ease the cube off the table top into the drawer
        now sweep the block into the drawer
    """,
}
